//! The agent's image: read from its ELF file, relocated for an address in the target.

use crate::elf::{
    Dynamic, ET_DYN, HEADER_SIZE, Header, PF_W, PF_X, PROGRAM_HEADER_SIZE, PT_DYNAMIC, PT_INTERP,
    PT_LOAD, PT_TLS, ProgramHeader, RELA_SIZE, SYMBOL_SIZE, u16_at, u32_at, u64_at,
};
use crate::symbols::{Addressed, lookup};

#[cfg(test)]
mod tests;

/// The function that the stub calls: `extern "C" fn(*mut Boot) -> u32`.
const ENTRY: &str = "leakhunt_agent";
const PAGE: u64 = 4096;
/// An agent is some tens of kilobytes; a damaged file must not make us allocate without bound.
const MAX_SIZE: u64 = 16 << 20;

/// An agent that can be mapped into a target.
#[derive(Debug)]
pub struct AgentImage {
    /// What stands in memory, from address 0 of the image to the last byte of the file.
    contents: Vec<u8>,
    /// Length in memory, with what starts as zero; whole pages.
    len: u64,
    /// Where the writable part starts; all before it is read or executed only. On a page's start.
    writable_from: u64,
    /// Offset of [`ENTRY`].
    entry: u64,
    relocations: Vec<Relocation>,
}

/// Eight bytes of the image that hold an address in it.
#[derive(Clone, Copy, Debug)]
struct Relocation {
    /// Where they are; checked to lie in the contents.
    place: usize,
    /// What address, counted from the start of the image.
    value: u64,
}

/// Why bytes are no agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Not an ELF file for x86-64.
    #[error("not an ELF shared object for x86-64")]
    NotElf,
    /// The file ends within a table, or a table points out of it.
    #[error("the file is damaged: its {part} is out of bounds")]
    Damaged {
        /// Which part.
        part: &'static str,
    },
    /// The file needs something that only a loader gives.
    #[error("the image needs a loader: it has {what}")]
    NeedsLoader {
        /// What it has.
        what: &'static str,
    },
    /// A relocation of a kind that an agent does not have.
    #[error("the image has a relocation of the unknown type {kind}")]
    UnknownRelocation {
        /// The type, `R_X86_64_*`.
        kind: u32,
    },
    /// A symbol that has to come from elsewhere.
    #[error("the image has an undefined symbol (number {index})")]
    UndefinedSymbol {
        /// Its place in the symbol table.
        index: u64,
    },
    /// Memory that would be written and executed.
    #[error("the image has a segment that is both writable and executable")]
    WritableCode,
    /// Writable memory in front of code.
    #[error("the image's writable segments do not come last, on pages of their own")]
    Mixed,
    /// It lacks the function that starts it.
    #[error("the image does not define `{ENTRY}`")]
    NoEntry,
}

impl AgentImage {
    /// Reads the ELF file of the agent.
    ///
    /// # Errors
    /// When the file is damaged, needs a library, or holds a relocation of an unknown kind.
    pub fn parse(elf: &[u8]) -> Result<Self, ImageError> {
        let header = elf
            .get(..HEADER_SIZE)
            .and_then(Header::parse)
            .filter(|header| header.kind == ET_DYN)
            .ok_or(ImageError::NotElf)?;
        let segments = program_headers(elf, &header)?;
        for segment in &segments {
            match segment.kind {
                PT_INTERP => return Err(ImageError::NeedsLoader { what: "PT_INTERP" }),
                PT_TLS => return Err(ImageError::NeedsLoader { what: "PT_TLS" }),
                _ => {}
            }
        }
        let parts = lay_out(elf, &segments)?;
        let dynamic = dynamic_section(&parts.contents, &segments)?;
        let memory = Contents(&parts.contents);
        let entry = lookup(&memory, &dynamic, ENTRY).ok_or(ImageError::NoEntry)?;
        if entry.value >= parts.writable_from {
            return Err(ImageError::Damaged { part: "entry" });
        }
        let relocations = relocations(&memory, &dynamic)?;
        Ok(Self {
            entry: entry.value,
            relocations,
            len: parts.len,
            writable_from: parts.writable_from,
            contents: parts.contents,
        })
    }

    /// What has to stand at `base`: the contents with all addresses in place. Bytes from there to
    /// [`len`](Self::len) are zero.
    pub(crate) fn relocated(&self, base: u64) -> Vec<u8> {
        let mut contents = self.contents.clone();
        for relocation in &self.relocations {
            let address = base.wrapping_add(relocation.value);
            if let Some(place) = contents
                .get_mut(relocation.place..)
                .and_then(|rest| rest.first_chunk_mut::<8>())
            {
                *place = address.to_le_bytes();
            }
        }
        contents
    }

    /// Length in memory, in whole pages.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Offset of the writable part, on a page's start.
    pub(crate) fn writable_from(&self) -> u64 {
        self.writable_from
    }

    /// Offset of the function that starts the agent.
    pub(crate) fn entry(&self) -> u64 {
        self.entry
    }
}

/// The segments in memory.
struct Parts {
    contents: Vec<u8>,
    len: u64,
    writable_from: u64,
}

struct Contents<'c>(&'c [u8]);

impl<'c> Contents<'c> {
    fn slice(&self, address: u64, len: usize) -> Option<&'c [u8]> {
        let start = usize::try_from(address).ok()?;
        self.0.get(start..)?.get(..len)
    }
}

impl Addressed for Contents<'_> {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        buffer.copy_from_slice(self.slice(address, buffer.len())?);
        Some(())
    }
}

fn program_headers(elf: &[u8], header: &Header) -> Result<Vec<ProgramHeader>, ImageError> {
    usize::try_from(header.program_headers_offset)
        .ok()
        .and_then(|start| elf.get(start..))
        .and_then(|rest| rest.get(..header.n_program_headers * PROGRAM_HEADER_SIZE))
        .map(ProgramHeader::parse_all)
        .ok_or(ImageError::Damaged {
            part: "table of program headers",
        })
}

/// Copies the segments to where they stand in memory, checking that they are in order.
fn lay_out(elf: &[u8], segments: &[ProgramHeader]) -> Result<Parts, ImageError> {
    const DAMAGED: ImageError = ImageError::Damaged { part: "segment" };
    let mut parts = Parts {
        contents: Vec::new(),
        len: 0,
        writable_from: 0,
    };
    let mut has_writable = false;
    for segment in segments.iter().filter(|s| s.kind == PT_LOAD) {
        let is_writable = segment.flags & PF_W != 0;
        if is_writable && segment.flags & PF_X != 0 {
            return Err(ImageError::WritableCode);
        }
        let end = segment
            .address
            .checked_add(segment.memory_size)
            .filter(|&end| end <= MAX_SIZE && segment.file_size <= segment.memory_size)
            .ok_or(DAMAGED)?;
        let page = segment.address / PAGE * PAGE;
        if page < parts.len {
            return Err(if is_writable != has_writable {
                ImageError::Mixed
            } else {
                DAMAGED
            });
        }
        if is_writable && !has_writable {
            parts.writable_from = page;
            has_writable = true;
        } else if has_writable && !is_writable {
            return Err(ImageError::Mixed);
        }
        parts.len = end.next_multiple_of(PAGE);
        let (start, size) = (segment.address as usize, segment.file_size as usize);
        let bytes = usize::try_from(segment.offset)
            .ok()
            .and_then(|offset| elf.get(offset..)?.get(..size))
            .ok_or(DAMAGED)?;
        parts.contents.resize(start, 0);
        parts.contents.extend_from_slice(bytes);
    }
    if !has_writable {
        parts.writable_from = parts.len;
    }
    if parts.len == 0 {
        return Err(DAMAGED);
    }
    Ok(parts)
}

fn dynamic_section(contents: &[u8], segments: &[ProgramHeader]) -> Result<Dynamic, ImageError> {
    let segment = segments
        .iter()
        .find(|s| s.kind == PT_DYNAMIC)
        .ok_or(ImageError::Damaged {
            part: "dynamic section",
        })?;
    let section = usize::try_from(segment.file_size)
        .ok()
        .and_then(|size| Contents(contents).slice(segment.address, size))
        .ok_or(ImageError::Damaged {
            part: "dynamic section",
        })?;
    let dynamic = Dynamic::parse(section);
    let needs = |what| Err(ImageError::NeedsLoader { what });
    if dynamic.needs_library {
        return needs("DT_NEEDED");
    }
    if dynamic.has_initialisers {
        return needs("initialisers");
    }
    if dynamic.has_other_relocations {
        return needs("relocations without addend");
    }
    Ok(dynamic)
}

fn relocations(memory: &Contents<'_>, dynamic: &Dynamic) -> Result<Vec<Relocation>, ImageError> {
    const DAMAGED: ImageError = ImageError::Damaged {
        part: "table of relocations",
    };
    let mut relocations = Vec::new();
    for (table, size) in [
        (dynamic.rela, dynamic.rela_size),
        (dynamic.jump_rela, dynamic.jump_rela_size),
    ] {
        let size = usize::try_from(size).map_err(|_| DAMAGED)?;
        let entries = memory.slice(table, size).ok_or(DAMAGED)?;
        for entry in entries.chunks_exact(RELA_SIZE) {
            relocations.extend(relocation(memory, dynamic, entry)?);
        }
    }
    Ok(relocations)
}

/// One entry; `None` for one that does nothing.
fn relocation(
    memory: &Contents<'_>,
    dynamic: &Dynamic,
    entry: &[u8],
) -> Result<Option<Relocation>, ImageError> {
    const NONE: u32 = 0;
    const ABSOLUTE_64: u32 = 1;
    const GLOB_DAT: u32 = 6;
    const JUMP_SLOT: u32 = 7;
    const RELATIVE: u32 = 8;
    const DAMAGED: ImageError = ImageError::Damaged { part: "relocation" };
    let place = u64_at(entry, 0).ok_or(DAMAGED)?;
    let kind = u32_at(entry, 8).ok_or(DAMAGED)?;
    let index = u64::from(u32_at(entry, 12).ok_or(DAMAGED)?);
    let addend = u64_at(entry, 16).ok_or(DAMAGED)?;
    let value = match kind {
        NONE => return Ok(None),
        RELATIVE => addend,
        GLOB_DAT | JUMP_SLOT => symbol_value(memory, dynamic, index)?,
        ABSOLUTE_64 => symbol_value(memory, dynamic, index)?.wrapping_add(addend),
        kind => return Err(ImageError::UnknownRelocation { kind }),
    };
    memory.slice(place, 8).ok_or(DAMAGED)?;
    let place = usize::try_from(place).map_err(|_| DAMAGED)?;
    Ok(Some(Relocation { place, value }))
}

fn symbol_value(memory: &Contents<'_>, dynamic: &Dynamic, index: u64) -> Result<u64, ImageError> {
    const DAMAGED: ImageError = ImageError::Damaged {
        part: "table of symbols",
    };
    let at = dynamic
        .symbols
        .checked_add(index * SYMBOL_SIZE)
        .ok_or(DAMAGED)?;
    let symbol = memory.slice(at, SYMBOL_SIZE as usize).ok_or(DAMAGED)?;
    if u16_at(symbol, 6) == Some(0) {
        return Err(ImageError::UndefinedSymbol { index });
    }
    u64_at(symbol, 8).ok_or(DAMAGED)
}
