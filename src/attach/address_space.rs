//! The memory of a process as it is seen from outside: what is mapped, what of it is in RAM, and its
//! bytes. Nothing here stops the process or writes to it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::maps::{Mapping, parse_line};
use crate::memory::Memory;

/// Bytes of a page.
pub const PAGE_BYTES: u64 = 4096;
/// Pages whose entries are read at once.
const PAGES_AT_ONCE: u64 = 16 * 1024;
/// A page is in RAM: bit 63 of its entry (`Documentation/admin-guide/mm/pagemap.rst`).
const PRESENT: u64 = 1 << 63;

/// The memory of one process.
#[derive(Debug)]
pub struct AddressSpace {
    pid: u32,
    memory: Memory,
    pagemap: File,
}

/// A mapping, and what of it is in RAM.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResidentMapping {
    /// Its addresses.
    pub range: Range<u64>,
    /// Whether the process may read it.
    pub is_readable: bool,
    /// Whether the process may write to it.
    pub is_writable: bool,
    /// Path of the file, a name such as `[heap]`, or nothing.
    pub path: String,
    /// Whether writes are seen by others: a mapping of a file, or memory shared with children.
    pub is_shared: bool,
    /// Bytes of it in RAM, shared pages in full.
    pub rss_bytes: u64,
    /// Bytes that the process alone has and has written to.
    pub private_dirty_bytes: u64,
    /// Bytes that are swapped out.
    pub swap_bytes: u64,
}

impl AddressSpace {
    /// Opens it for reading; the kernel asks for the right to trace.
    ///
    /// # Errors
    /// When that right is not given or the process is gone.
    pub fn open(pid: u32) -> io::Result<Self> {
        Ok(Self {
            pid,
            memory: Memory::open_to_read(pid)?,
            pagemap: File::open(format!("/proc/{pid}/pagemap"))?,
        })
    }

    /// All mappings, by address. The kernel goes over the page tables for it: about 30 ms for each
    /// GB in RAM, in which the process can map nothing; what it has mapped it goes on to use.
    ///
    /// # Errors
    /// When the process is gone or may not be looked at.
    pub fn mappings(&self) -> io::Result<Vec<ResidentMapping>> {
        let text = std::fs::read(format!("/proc/{}/smaps", self.pid))?;
        Ok(parse(&String::from_utf8_lossy(&text)))
    }

    /// For each page of `pages`, which starts and ends at page borders, whether it is in RAM. The page
    /// of zeros counts, which `rss_bytes` leaves out.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident_pages(&self, pages: &Range<u64>) -> io::Result<Vec<bool>> {
        let (mut page, end) = (pages.start / PAGE_BYTES, pages.end / PAGE_BYTES);
        let mut resident = Vec::new();
        let mut entries = vec![0; (PAGES_AT_ONCE * 8) as usize];
        while page < end {
            let n_pages = PAGES_AT_ONCE.min(end - page);
            let entries = &mut entries[..(n_pages * 8) as usize];
            self.pagemap.read_exact_at(entries, page * 8)?;
            let (entries, _) = entries.as_chunks::<8>();
            resident.extend(
                entries
                    .iter()
                    .map(|&entry| u64::from_le_bytes(entry) & PRESENT != 0),
            );
            page += n_pages;
        }
        Ok(resident)
    }

    /// Reads up to `len` bytes, fewer where memory ends. A page that is swapped out comes back to RAM
    /// by that.
    pub fn read(&self, address: u64, len: usize) -> Vec<u8> {
        self.memory.read_some(address, len)
    }
}

fn parse(text: &str) -> Vec<ResidentMapping> {
    let mut mappings: Vec<ResidentMapping> = Vec::new();
    for line in text.lines() {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        match first.strip_suffix(':') {
            Some(field) => {
                let kib = rest.trim().strip_suffix("kB");
                let kib = kib.and_then(|number| number.trim().parse::<u64>().ok());
                if let (Some(mapping), Some(kib)) = (mappings.last_mut(), kib) {
                    let bytes = kib.saturating_mul(1024);
                    match field {
                        "Rss" => mapping.rss_bytes = bytes,
                        "Private_Dirty" => mapping.private_dirty_bytes = bytes,
                        "Swap" => mapping.swap_bytes = bytes,
                        _ => {}
                    }
                }
            }
            None => mappings.extend(parse_line(line).map(|mapping| of(line, mapping))),
        }
    }
    mappings
}

fn of(line: &str, mapping: Mapping) -> ResidentMapping {
    let permissions = line.split(' ').nth(1).unwrap_or_default();
    ResidentMapping {
        range: mapping.range,
        is_readable: mapping.is_readable,
        is_writable: mapping.is_writable,
        path: mapping.path,
        is_shared: permissions.ends_with('s'),
        ..ResidentMapping::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
00400000-00452000 rw-s 00001000 08:02 173521      /tmp/my file: Rss: 9 kB
Size:                328 kB
Rss:                  12 kB
Private_Dirty:         8 kB
Swap:                  4 kB
VmFlags: rd wr sh
7ffd1000-7ffd2000 ---p 00000000 00:00 0                          [stack]
Rss:                   x kB
";

    #[test]
    fn each_mapping_has_its_own_numbers() {
        let mappings = parse(TEXT);
        assert_eq!(mappings.len(), 2);
        assert_eq!(mappings[0].path, "/tmp/my file: Rss: 9 kB");
        assert!(mappings[0].is_shared && mappings[0].is_writable && !mappings[1].is_shared);
        assert_eq!(mappings[0].rss_bytes, 12 << 10);
        assert_eq!(mappings[0].private_dirty_bytes, 8 << 10);
        assert_eq!(mappings[0].swap_bytes, 4 << 10);
        assert_eq!(mappings[1].rss_bytes, 0);
        assert_eq!(parse("Rss: 4 kB\n"), []);
    }

    #[test]
    fn own_memory_is_seen_page_by_page() {
        let space = AddressSpace::open(std::process::id()).unwrap();
        let own = vec![7_u8; 64 * PAGE_BYTES as usize];
        let first = (own.as_ptr() as u64).next_multiple_of(PAGE_BYTES);
        assert_eq!(space.read(first, 3), [7, 7, 7]);
        let resident = space.resident_pages(&(first..first + 63 * PAGE_BYTES));
        assert_eq!(resident.unwrap(), [true; 63]);
        let mappings = space.mappings().unwrap();
        let holder = mappings.iter().find(|one| one.range.contains(&first));
        assert!(holder.unwrap().rss_bytes >= 63 * PAGE_BYTES);
        assert_eq!(space.read(8, 8), []);
    }
}
