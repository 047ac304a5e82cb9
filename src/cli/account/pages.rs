//! Which pages of a range are in RAM.

use std::ops::Range;

use leakhunt_attach::PAGE_BYTES;

/// The pages of one range.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    /// Where the first is.
    start: u64,
    /// How many before each page are in RAM, and behind the last: 4 bytes a page.
    n_resident: Vec<u32>,
}

impl Pages {
    /// Pages from `start` on.
    pub(super) fn new(start: u64, resident: &[bool]) -> Self {
        let mut n_resident = vec![0];
        let mut sum = 0;
        n_resident.extend(resident.iter().map(|&is_resident| {
            sum += u32::from(is_resident);
            sum
        }));
        Self { start, n_resident }
    }

    /// How much of a range is in RAM. What is no page of these is not. O(1).
    pub(super) fn bytes_in(&self, range: &Range<u64>) -> u64 {
        self.before(range.end)
            .saturating_sub(self.before(range.start))
    }

    /// Whether all of a range is in RAM.
    pub(super) fn has(&self, range: &Range<u64>) -> bool {
        range.start < range.end && self.bytes_in(range) == range.end - range.start
    }

    /// How much of what stands before an address is in RAM.
    fn before(&self, address: u64) -> u64 {
        let offset = address.saturating_sub(self.start);
        let page = usize::try_from(offset / PAGE_BYTES).unwrap_or(usize::MAX);
        match self.n_resident.get(page..) {
            Some(&[n, next, ..]) => {
                let part = offset % PAGE_BYTES * u64::from(next - n);
                u64::from(n) * PAGE_BYTES + part
            }
            _ => u64::from(self.n_resident.last().copied().unwrap_or(0)) * PAGE_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_pages_count_by_the_byte() {
        let pages = Pages::new(0x10000, &[true, false, true, true]);
        assert_eq!(pages.bytes_in(&(0..u64::MAX)), 3 * 4096);
        assert_eq!(pages.bytes_in(&(0x10000..0x10010)), 16);
        assert_eq!(pages.bytes_in(&(0x10ff0..0x12010)), 32);
        assert_eq!(pages.bytes_in(&(0x11000..0x12000)), 0);
        assert_eq!(pages.bytes_in(&(0x13ff0..0x20000)), 16);
        assert!(pages.has(&(0x12000..0x14000)));
        assert!(!pages.has(&(0x12000..0x14001)) && !pages.has(&(0xffff..0x10001)));
        assert!(!pages.has(&(0x12000..0x12000)));
        assert_eq!(Pages::default().bytes_in(&(0..u64::MAX)), 0);
    }
}
