//! The parts of the ELF format that are read here, from a file or from the memory of a process.

/// Size of the ELF header.
pub(crate) const HEADER_SIZE: usize = 64;
/// Size of one program header.
pub(crate) const PROGRAM_HEADER_SIZE: usize = 56;
/// Size of one symbol.
pub(crate) const SYMBOL_SIZE: u64 = 24;
/// Size of one relocation with addend.
pub(crate) const RELA_SIZE: usize = 24;

/// A file to be run at a fixed address.
pub(crate) const ET_EXEC: u16 = 2;
/// A shared object or a position-independent executable.
pub(crate) const ET_DYN: u16 = 3;

pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_DYNAMIC: u32 = 2;
pub(crate) const PT_INTERP: u32 = 3;
pub(crate) const PT_TLS: u32 = 7;
pub(crate) const PF_X: u32 = 1;
pub(crate) const PF_W: u32 = 2;

const DT_NEEDED: u64 = 1;
const DT_PLTRELSZ: u64 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_INIT: u64 = 12;
const DT_REL: u64 = 17;
const DT_PLTREL: u64 = 20;
const DT_JMPREL: u64 = 23;
const DT_INIT_ARRAYSZ: u64 = 27;
const DT_RELRSZ: u64 = 35;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;

/// Two bytes at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

/// Four bytes at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

/// Eight bytes at `at`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The ELF header of a 64-bit x86-64 file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// [`ET_EXEC`] or [`ET_DYN`].
    pub(crate) kind: u16,
    /// Where in the file the program headers are.
    pub(crate) program_headers_offset: u64,
    /// How many there are.
    pub(crate) n_program_headers: usize,
}

impl Header {
    /// Reads the header; `None` for anything but x86-64.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        const CLASS_64_LITTLE_ENDIAN: [u8; 2] = [2, 1];
        const MACHINE_X86_64: u16 = 62;
        let is_ours = bytes.starts_with(b"\x7fELF")
            && bytes.get(4..6)? == CLASS_64_LITTLE_ENDIAN
            && u16_at(bytes, 18)? == MACHINE_X86_64
            && usize::from(u16_at(bytes, 54)?) == PROGRAM_HEADER_SIZE;
        is_ours.then_some(Self {
            kind: u16_at(bytes, 16)?,
            program_headers_offset: u64_at(bytes, 32)?,
            n_program_headers: u16_at(bytes, 56)?.into(),
        })
    }
}

/// One program header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgramHeader {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_size: u64,
    pub(crate) memory_size: u64,
}

impl ProgramHeader {
    /// Reads all program headers of a table.
    pub(crate) fn parse_all(table: &[u8]) -> Vec<Self> {
        table
            .chunks_exact(PROGRAM_HEADER_SIZE)
            .filter_map(Self::parse)
            .collect()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            kind: u32_at(bytes, 0)?,
            flags: u32_at(bytes, 4)?,
            offset: u64_at(bytes, 8)?,
            address: u64_at(bytes, 16)?,
            file_size: u64_at(bytes, 32)?,
            memory_size: u64_at(bytes, 40)?,
        })
    }
}

/// The entries of a dynamic section that matter here; 0 where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dynamic {
    pub(crate) strings: u64,
    pub(crate) symbols: u64,
    pub(crate) gnu_hash: u64,
    pub(crate) hash: u64,
    pub(crate) versions: u64,
    pub(crate) rela: u64,
    pub(crate) rela_size: u64,
    pub(crate) jump_rela: u64,
    pub(crate) jump_rela_size: u64,
    /// Whether a library has to be loaded with it.
    pub(crate) needs_library: bool,
    /// Whether it has relocations of another format than with addend.
    pub(crate) has_other_relocations: bool,
    /// Whether it has code to be run by a loader.
    pub(crate) has_initialisers: bool,
}

impl Dynamic {
    /// Reads the section up to its end marker.
    pub(crate) fn parse(section: &[u8]) -> Self {
        let mut dynamic = Self::default();
        for entry in section.chunks_exact(16) {
            let (Some(tag), Some(value)) = (u64_at(entry, 0), u64_at(entry, 8)) else {
                break;
            };
            match tag {
                0 => break,
                DT_NEEDED => dynamic.needs_library = true,
                DT_PLTRELSZ => dynamic.jump_rela_size = value,
                DT_HASH => dynamic.hash = value,
                DT_STRTAB => dynamic.strings = value,
                DT_SYMTAB => dynamic.symbols = value,
                DT_RELA => dynamic.rela = value,
                DT_RELASZ => dynamic.rela_size = value,
                DT_JMPREL => dynamic.jump_rela = value,
                DT_GNU_HASH => dynamic.gnu_hash = value,
                DT_VERSYM => dynamic.versions = value,
                DT_INIT => dynamic.has_initialisers = true,
                DT_INIT_ARRAYSZ => dynamic.has_initialisers |= value != 0,
                DT_REL => dynamic.has_other_relocations = true,
                DT_RELRSZ => dynamic.has_other_relocations |= value != 0,
                DT_PLTREL => dynamic.has_other_relocations |= value != DT_RELA,
                _ => {}
            }
        }
        dynamic
    }

    /// Adds `bias` to the addresses below `base`: glibc has relocated them in memory, musl has not.
    pub(crate) fn relocate(&mut self, base: u64, bias: u64) {
        for address in [
            &mut self.strings,
            &mut self.symbols,
            &mut self.gnu_hash,
            &mut self.hash,
            &mut self.versions,
        ] {
            if *address != 0 && *address < base {
                *address = address.wrapping_add(bias);
            }
        }
    }
}
