//! The memory of another process, by `/proc/PID/mem`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use crate::maps::{Mapping, mapping_at};
use crate::symbols::Addressed;

/// Memory that can be read and written. It stays that of the program that ran when it was opened:
/// after an `exec` nothing can be read.
#[derive(Debug)]
pub(crate) struct Memory {
    file: File,
}

impl Memory {
    /// Opens it for reading and writing; the kernel asks for the right to trace.
    ///
    /// # Errors
    /// When that right is not given or the process is gone.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let path = format!("/proc/{pid}/mem");
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Self { file })
    }

    /// Opens it for reading; the kernel asks for the right to trace all the same.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_to_read(pid: u32) -> io::Result<Self> {
        let file = File::open(format!("/proc/{pid}/mem"))?;
        Ok(Self { file })
    }

    /// Fills `buffer` from `address`.
    ///
    /// # Errors
    /// When a part of it is no memory.
    pub(crate) fn read(&self, address: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, address)
    }

    /// Reads up to `len` bytes, fewer where memory ends.
    pub(crate) fn read_some(&self, address: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while let Some(rest @ [_, ..]) = bytes.get_mut(filled..) {
            match self.file.read_at(rest, address.wrapping_add(filled as u64)) {
                Ok(n @ 1..) => filled += n,
                _ => break,
            }
        }
        bytes.truncate(filled);
        bytes
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn read_u64(&self, address: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Four bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn read_u32(&self, address: u64) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Writes `bytes` to `address`, also into pages that the process itself can only read.
    ///
    /// # Errors
    /// When a part of it is no memory, or the kernel forbids to write into read-only pages.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, address)
    }
}

/// Bytes of one read; symbol lookups jump about in tables of some hundred kilobytes.
const CHUNK: u64 = 32 * 1024;

/// Memory that is read in large pieces once, for lookups in tables that do not change.
#[derive(Debug)]
pub(crate) struct CachedMemory<'m> {
    memory: &'m Memory,
    mappings: &'m [Mapping],
    chunks: RefCell<BTreeMap<u64, Vec<u8>>>,
}

impl<'m> CachedMemory<'m> {
    /// Nothing is read yet.
    pub(crate) fn new(memory: &'m Memory, mappings: &'m [Mapping]) -> Self {
        Self {
            memory,
            mappings,
            chunks: RefCell::default(),
        }
    }

    /// Copies from the one chunk that holds `address`; how many bytes it gave.
    fn read_in_chunk(&self, address: u64, buffer: &mut [u8]) -> Option<usize> {
        let mut chunks = self.chunks.borrow_mut();
        let found = chunks.range(..=address).next_back();
        let start = match found {
            Some((&start, chunk)) if address - start < chunk.len() as u64 => start,
            _ => {
                let mapping = mapping_at(self.mappings, address)?;
                let start = (address / CHUNK * CHUNK).max(mapping.range.start);
                let end = (address / CHUNK + 1)
                    .saturating_mul(CHUNK)
                    .min(mapping.range.end);
                let bytes = self
                    .memory
                    .read_some(start, usize::try_from(end - start).ok()?);
                chunks.insert(start, bytes);
                start
            }
        };
        let chunk = chunks.get(&start)?;
        let rest = chunk.get(usize::try_from(address - start).ok()?..)?;
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        (n > 0).then_some(n)
    }
}

impl Addressed for CachedMemory<'_> {
    fn read(&self, mut address: u64, mut buffer: &mut [u8]) -> Option<()> {
        while !buffer.is_empty() {
            let n = self.read_in_chunk(address, buffer)?;
            address = address.checked_add(n as u64)?;
            buffer = &mut buffer[n..];
        }
        Some(())
    }
}
