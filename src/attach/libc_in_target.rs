//! What is needed of the target's libc: functions to call and instructions to borrow.

use std::ops::Range;

use crate::maps::Mapping;
use crate::memory::{CachedMemory, Memory};
use crate::module::{Module, first_pages};

/// The libc of a process.
#[derive(Clone, Debug)]
pub(crate) struct Libc {
    pub(crate) attr_init: u64,
    pub(crate) attr_setstacksize: u64,
    pub(crate) attr_setdetachstate: u64,
    pub(crate) thread_create: u64,
    pub(crate) munmap: u64,
    /// Instructions `syscall; ret`.
    pub(crate) syscall_return: u64,
    /// What a signal handler returns to: it calls `rt_sigreturn`.
    pub(crate) sigreturn: u64,
    /// Where musl keeps its locks; `None` for glibc, which keeps them in many places.
    pub(crate) musl_data: Option<Vec<Range<u64>>>,
}

/// `syscall; ret`, as in `getpid` of each libc.
const SYSCALL_RETURN: &[u8] = &[0x0f, 0x05, 0xc3];
/// `mov rax, 15; syscall`, in the same encoding in glibc and musl.
const SIGRETURN: &[u8] = &[0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];

impl Libc {
    /// Finds it.
    ///
    /// # Errors
    /// The name of the first thing that is missing.
    pub(crate) fn find(
        memory: &Memory,
        cached: &CachedMemory<'_>,
        mappings: &[Mapping],
    ) -> Result<Self, &'static str> {
        let mut modules = Vec::new();
        let mut is_musl = false;
        for page in first_pages(mappings) {
            let name = page.file_name();
            if is_libc(name)
                && let Some(module) = Module::read(cached, mappings, page)
            {
                is_musl |= name.contains("musl");
                modules.push(module);
            }
        }
        let function = |name: &'static str| {
            let found = modules
                .iter()
                .find_map(|module| module.symbol(cached, name));
            found.ok_or(name)
        };
        let munmap = function("munmap")?;
        let main = modules
            .iter()
            .find(|module| module.text.iter().any(|text| text.contains(&munmap)))
            .ok_or("libc")?;
        let instructions = |bytes: &[u8]| {
            main.text
                .iter()
                .find_map(|text| find_bytes(memory, text, bytes))
        };
        Ok(Self {
            attr_init: function("pthread_attr_init")?,
            attr_setstacksize: function("pthread_attr_setstacksize")?,
            attr_setdetachstate: function("pthread_attr_setdetachstate")?,
            thread_create: function("pthread_create")?,
            munmap,
            syscall_return: instructions(SYSCALL_RETURN).ok_or("a syscall instruction")?,
            sigreturn: instructions(SIGRETURN).ok_or("rt_sigreturn")?,
            musl_data: is_musl.then(|| main.data.clone()),
        })
    }
}

/// `libc.so.6`, `libc-2.31.so`, `libpthread.so.0`, `libpthread-2.31.so`, `ld-musl-x86_64.so.1`,
/// `libc.so`, `libc.musl-x86_64.so.1`.
fn is_libc(name: &str) -> bool {
    ["libc.", "libc-2", "libpthread.", "libpthread-2", "ld-musl"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Reads the code piece by piece: most of what is looked for stands in the first.
fn find_bytes(memory: &Memory, text: &Range<u64>, wanted: &[u8]) -> Option<u64> {
    const PIECE: u64 = 128 * 1024;
    let mut at = text.start;
    while at < text.end {
        let len = (text.end - at).min(PIECE + wanted.len() as u64);
        let bytes = memory.read_some(at, usize::try_from(len).ok()?);
        if let Some(place) = bytes.windows(wanted.len()).position(|w| w == wanted) {
            return Some(at + place as u64);
        }
        at += PIECE;
    }
    None
}
