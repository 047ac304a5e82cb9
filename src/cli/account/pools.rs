//! Pools of pymalloc, known by their headers.
//!
//! An arena is a stretch of pools of one size, each with a header of 48 bytes at its start (CPython,
//! `Objects/obmalloc.c` up to 3.12, `Include/internal/pycore_obmalloc.h`). Its fields fix each other:
//! `maxnextoffset` follows from the size class, `nextoffset` is a whole number of blocks. What fits is
//! a pool, whatever the version keeps its list of arenas in.

use std::ops::Range;

use leakhunt_heap::{Part, PartBytes};

use super::region::{Region, Regions};

/// Sizes that depend on the version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PoolSizes {
    pool: u64,
    arena: u64,
}

impl PoolSizes {
    /// Of CPython 3.`minor`.
    pub(super) fn of(minor: u32) -> Self {
        match minor {
            ..10 => Self {
                pool: 4 << 10,
                arena: 256 << 10,
            },
            _ => Self {
                pool: 16 << 10,
                arena: 1 << 20,
            },
        }
    }
}

const HEADER: usize = 48;
const ALIGNMENT: u64 = 16;
/// Blocks have up to 512 bytes.
const N_SIZES: u64 = 32;

/// What the header of a pool says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Pool {
    /// Bytes of the blocks in use.
    used_bytes: u64,
    /// The number of its arena.
    arena: u32,
}

/// Pools, and what else of their arenas is known.
pub(super) struct Arena {
    /// From its first pool to its end, or to that of the region.
    pub(super) range: Range<u64>,
    pub(super) parts: PartBytes,
}

/// The arenas of a region, ascending. Reads 48 bytes of each possible pool.
pub(super) fn arenas(regions: &Regions<'_>, region: &Region, sizes: PoolSizes) -> Vec<Arena> {
    let mut found: Vec<Arena> = Vec::new();
    if region.is_brk_heap {
        return found;
    }
    let mut last_number = 0;
    let mut at = region.range.start.next_multiple_of(sizes.pool);
    while at < region.range.end {
        let range = at..(at + sizes.pool).min(region.range.end);
        at = range.end;
        let header = regions.glimpse(range.start, HEADER);
        let Some(pool) = header.and_then(|header| read(&header, range.start, sizes.pool)) else {
            continue;
        };
        let is_next = |arena: &Arena| {
            range.start - arena.range.start < sizes.arena && last_number == pool.arena
        };
        if !found.last().is_some_and(is_next) {
            if let Some(last) = found.last_mut() {
                last.range.end = last.range.end.min(range.start);
            }
            last_number = pool.arena;
            found.push(Arena {
                // Where an arena does not start at a multiple of the size of a pool, it has one less.
                range: range.start..(range.start + sizes.arena - sizes.pool).min(region.range.end),
                parts: PartBytes::default(),
            });
        }
        if let Some(arena) = found.last_mut() {
            arena.range.end = arena.range.end.max(range.end);
            let used = pool.used_bytes.min(region.pages.bytes_in(&range));
            arena.parts[Part::PythonPools] += used;
        }
    }
    for arena in &mut found {
        let resident = region.pages.bytes_in(&arena.range);
        let used = arena.parts[Part::PythonPools];
        arena.parts[Part::FreePools] = resident.saturating_sub(used);
    }
    found
}

/// The pool at `address`, if what stands there is the header of one.
fn read(header: &[u8], address: u64, pool_bytes: u64) -> Option<Pool> {
    let half = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    };
    let free_block = u64::from(half(8)?) | u64::from(half(12)?) << 32;
    let (n_used, arena, size_index) = (u64::from(half(0)?), half(32)?, u64::from(half(36)?));
    let (next, most) = (u64::from(half(40)?), u64::from(half(44)?));
    let block = (size_index + 1) * ALIGNMENT;
    let n_blocks = (pool_bytes - HEADER as u64) / block;
    let is_pool = size_index < N_SIZES
        && most == pool_bytes - block
        && n_used <= n_blocks
        && (HEADER as u64 + block..=pool_bytes).contains(&next)
        && (next - HEADER as u64).is_multiple_of(block)
        && (free_block == 0 || (address..address + pool_bytes).contains(&free_block));
    is_pool.then(|| Pool {
        used_bytes: n_used * block,
        arena,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: u64 = 0x7f00_0000_4000;

    fn header(n_used: u32, free: u64, arena: u32, size: u32, next: u32, most: u32) -> Vec<u8> {
        let mut header = Vec::new();
        header.extend(u64::from(n_used).to_le_bytes());
        header.extend(free.to_le_bytes());
        header.extend([0; 16]);
        for field in [arena, size, next, most] {
            header.extend(field.to_le_bytes());
        }
        header
    }

    #[test]
    fn a_header_that_fits_is_a_pool() {
        // 64-byte blocks: 255 of them in 16 KiB.
        let pool = header(3, AT + 48 + 64, 7, 3, 48 + 10 * 64, 16384 - 64);
        let expected = Pool {
            used_bytes: 192,
            arena: 7,
        };
        assert_eq!(read(&pool, AT, 16384), Some(expected));
        assert_eq!(read(&pool, AT, 4096), None);
        assert_eq!(read(&pool, AT + 16384, 16384), None);
    }

    #[test]
    fn what_does_not_fit_is_no_pool() {
        for (what, header) in [
            ("nothing", vec![0; 48]),
            (
                "more blocks than there is room for",
                header(256, 0, 0, 3, 112, 16320),
            ),
            ("no such size", header(1, 0, 0, 32, 48 + 528, 16384 - 528)),
            ("half a block", header(1, 0, 0, 3, 100, 16320)),
            (
                "an end that is not of its size",
                header(1, 0, 0, 3, 112, 16336),
            ),
            ("a free block of elsewhere", header(1, 8, 0, 3, 112, 16320)),
            (
                "huge numbers",
                header(u32::MAX, u64::MAX, u32::MAX, u32::MAX, u32::MAX, u32::MAX),
            ),
            ("fresh", header(0, 0, 0, 0xffff, 0, 0)),
            ("too short", vec![0; 47]),
        ] {
            assert_eq!(read(&header, AT, 16384), None, "{what}");
        }
    }
}
