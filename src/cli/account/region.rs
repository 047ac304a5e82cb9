//! Stretches of memory that are to be taken apart, and how they are read.

use std::cell::RefCell;
use std::io;
use std::ops::Range;

use leakhunt_attach::{AddressSpace, PAGE_BYTES, ResidentMapping};

use super::pages::Pages;

/// Bytes of one read.
const WINDOW: u64 = 64 * 1024;
/// So many pages are looked at one by one in any stretch, …
const MOST_PAGES: u64 = 16 << 20;
/// … and in one that has more only if this share of it is in RAM.
const SPARSE: u64 = 8;

/// Memory that a process alone has and may write to: mappings that stand side by side.
pub(super) struct Region {
    pub(super) range: Range<u64>,
    /// What the kernel says is in RAM.
    pub(super) rss_bytes: u64,
    /// Whether it is the one that `brk` moves.
    pub(super) is_brk_heap: bool,
    /// Whether it goes on where the writable part of a file ends.
    pub(super) follows_file: bool,
    pub(super) pages: Pages,
}

/// Memory that can be read at addresses nobody vouches for.
pub(super) trait Peek {
    /// Fills `buffer`; `None` where a part of it is not in RAM, so that nothing is swapped in.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Option<()>;

    /// Reads again what was read before.
    fn forget(&self) {}

    /// Eight bytes.
    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Some(u64::from_le_bytes(bytes))
    }
}

/// The regions of a process.
pub(super) struct Regions<'s> {
    space: &'s AddressSpace,
    /// Ascending.
    pub(super) all: Vec<Region>,
    window: RefCell<(u64, Vec<u8>)>,
}

impl<'s> Regions<'s> {
    /// Joins the mappings of `mappings` that `is_wanted` picks. Those of which next to nothing is in
    /// RAM are left out.
    ///
    /// # Errors
    /// When the process is gone.
    pub(super) fn of(
        space: &'s AddressSpace,
        mappings: &[ResidentMapping],
        is_wanted: impl Fn(usize) -> bool,
    ) -> io::Result<Self> {
        let mut all: Vec<Region> = Vec::new();
        for (index, mapping) in mappings.iter().enumerate() {
            let range = &mapping.range;
            if !is_wanted(index) {
                continue;
            }
            let is_brk_heap = mapping.path == "[heap]";
            match all.last_mut() {
                Some(last) if last.range.end == range.start && last.is_brk_heap == is_brk_heap => {
                    last.range.end = range.end;
                    last.rss_bytes += mapping.rss_bytes;
                }
                _ => all.push(Region {
                    range: range.clone(),
                    rss_bytes: mapping.rss_bytes,
                    is_brk_heap,
                    follows_file: index.checked_sub(1).is_some_and(|before| {
                        let before = &mappings[before];
                        before.range.end == range.start
                            && before.is_writable
                            && before.path.starts_with('/')
                    }),
                    pages: Pages::default(),
                }),
            }
        }
        all.retain(|region| region.rss_bytes > 0 && !region.is_too_sparse());
        for region in &mut all {
            let resident = space.resident_pages(&region.range)?;
            region.pages = Pages::new(region.range.start, &resident);
        }
        Ok(Self {
            space,
            all,
            window: RefCell::default(),
        })
    }

    /// The region that holds an address.
    pub(super) fn at(&self, address: u64) -> Option<&Region> {
        let after = self
            .all
            .partition_point(|region| region.range.start <= address);
        let region = self.all.get(after.checked_sub(1)?)?;
        region.range.contains(&address).then_some(region)
    }

    /// A few bytes, without reading what stands around them: for places that are far apart.
    pub(super) fn glimpse(&self, address: u64, len: usize) -> Option<Vec<u8>> {
        let range = address..address.checked_add(len as u64)?;
        self.at(address).filter(|one| one.pages.has(&range))?;
        let bytes = self.space.read(address, len);
        (bytes.len() == len).then_some(bytes)
    }
}

impl Region {
    fn is_too_sparse(&self) -> bool {
        let len = self.range.end - self.range.start;
        len / PAGE_BYTES > MOST_PAGES && self.rss_bytes < len / SPARSE
    }
}

impl Peek for Regions<'_> {
    fn forget(&self) {
        self.window.take();
    }

    fn read(&self, mut address: u64, mut buffer: &mut [u8]) -> Option<()> {
        while !buffer.is_empty() {
            let mut window = self.window.borrow_mut();
            let (start, bytes) = &mut *window;
            if address < *start || address - *start >= bytes.len() as u64 {
                let region = self.at(address)?;
                let first = (address / WINDOW * WINDOW).max(region.range.start);
                let mut end = (address / WINDOW + 1)
                    .saturating_mul(WINDOW)
                    .min(region.range.end);
                let mut from = first;
                if !region.pages.has(&(first..end)) {
                    from = address / PAGE_BYTES * PAGE_BYTES;
                    end = from + PAGE_BYTES;
                    if !region.pages.has(&(from..end)) {
                        return None;
                    }
                }
                *bytes = self.space.read(from, usize::try_from(end - from).ok()?);
                *start = from;
                if address - from >= bytes.len() as u64 {
                    return None;
                }
            }
            let rest = &bytes[usize::try_from(address - *start).ok()?..];
            let n = rest.len().min(buffer.len());
            buffer[..n].copy_from_slice(&rest[..n]);
            address = address.checked_add(n as u64)?;
            buffer = &mut buffer[n..];
        }
        Some(())
    }
}
