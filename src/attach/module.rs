//! An executable or a library as it stands in the memory of a process. No file is opened: a deleted
//! or upgraded library and one of another mount namespace are no special case.

use std::ops::Range;

use crate::elf::{
    Dynamic, ET_EXEC, HEADER_SIZE, Header, PF_W, PF_X, PROGRAM_HEADER_SIZE, PT_DYNAMIC, PT_INTERP,
    PT_LOAD, ProgramHeader,
};
use crate::maps::Mapping;
use crate::memory::CachedMemory;
use crate::symbols::{Addressed, lookup};

const PAGE: u64 = 4096;
/// A dynamic section has some dozens of entries.
const MAX_DYNAMIC_BYTES: u64 = 64 * 1024;

/// A loaded module.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// What is added to the addresses of its file.
    bias: u64,
    dynamic: Dynamic,
    /// Its executable segments.
    pub(crate) text: Vec<Range<u64>>,
    /// Its writable segments with what starts as zero.
    pub(crate) data: Vec<Range<u64>>,
    /// Whether a loader was asked for.
    pub(crate) has_loader: bool,
}

impl Module {
    /// Reads the module whose first page is `header`; `None` where no ELF file stands there.
    pub(crate) fn read(
        memory: &CachedMemory<'_>,
        mappings: &[Mapping],
        header: &Mapping,
    ) -> Option<Self> {
        let mut bytes = [0; HEADER_SIZE];
        memory.read(header.range.start, &mut bytes)?;
        let elf = Header::parse(&bytes)?;
        let mut table = vec![0; elf.n_program_headers * PROGRAM_HEADER_SIZE];
        // The table may stand at the end of the file: patchelf puts it there.
        let part = mappings.iter().find(|mapping| {
            mapping.is_of_same_file(header)
                && mapping.range.start >= header.range.start
                && elf
                    .program_headers_offset
                    .checked_sub(mapping.offset)
                    .is_some_and(|at| at < mapping.range.end - mapping.range.start)
        })?;
        let at = part.range.start + (elf.program_headers_offset - part.offset);
        memory.read(at, &mut table)?;
        let segments = ProgramHeader::parse_all(&table);
        let bias = bias(&elf, &segments, header.range.start)?;
        let place = |segment: &ProgramHeader| {
            let start = segment.address.wrapping_add(bias);
            start..start.wrapping_add(segment.memory_size)
        };
        let loaded = |flag: u32| {
            let loads = segments.iter().filter(|s| s.kind == PT_LOAD);
            loads.filter(|s| s.flags & flag != 0).map(place).collect()
        };
        let dynamic = match segments.iter().find(|s| s.kind == PT_DYNAMIC) {
            Some(segment) => {
                let size = segment.memory_size.min(MAX_DYNAMIC_BYTES);
                let mut section = vec![0; usize::try_from(size).ok()?];
                memory.read(place(segment).start, &mut section)?;
                let mut dynamic = Dynamic::parse(&section);
                dynamic.relocate(
                    header.range.start.min(lowest(&segments).wrapping_add(bias)),
                    bias,
                );
                dynamic
            }
            None => Dynamic::default(),
        };
        Some(Self {
            bias,
            dynamic,
            text: loaded(PF_X),
            data: loaded(PF_W),
            has_loader: segments.iter().any(|s| s.kind == PT_INTERP),
        })
    }

    /// The address of a function or an object that the module defines.
    pub(crate) fn symbol(&self, memory: &CachedMemory<'_>, name: &str) -> Option<u64> {
        let symbol = lookup(memory, &self.dynamic, name)?;
        Some(self.bias.wrapping_add(symbol.value))
    }

    /// Whether it can be linked against at all.
    pub(crate) fn has_symbols(&self) -> bool {
        self.dynamic.symbols != 0
    }
}

/// The mappings that start a file, each file once: the executable first, then by address.
pub(crate) fn first_pages(mappings: &[Mapping]) -> Vec<&Mapping> {
    let mut pages: Vec<&Mapping> = Vec::new();
    for mapping in mappings {
        if mapping.has_file()
            && mapping.offset == 0
            && mapping.is_readable
            && !pages.iter().any(|page| page.is_of_same_file(mapping))
        {
            pages.push(mapping);
        }
    }
    pages
}

fn lowest(segments: &[ProgramHeader]) -> u64 {
    let loads = segments.iter().filter(|s| s.kind == PT_LOAD);
    loads.map(|s| s.address).min().unwrap_or(0)
}

/// The segment that holds the file's first bytes tells where the module is: it need not be the
/// lowest one.
fn bias(elf: &Header, segments: &[ProgramHeader], header_address: u64) -> Option<u64> {
    if elf.kind == ET_EXEC {
        return Some(0);
    }
    let first = segments
        .iter()
        .find(|s| s.kind == PT_LOAD && s.offset < PAGE)?;
    Some(header_address.wrapping_sub(first.address.wrapping_sub(first.offset)))
}
