//! Chunks of glibc's `malloc`, walked from outside (glibc, `malloc/malloc.c`, `malloc/arena.c`; the
//! sizes and bits have been the same since 2.10, but for chunks with a mapping to themselves).
//!
//! Each chunk starts with the size of the one before it, and its own size with three bits. Whether it
//! is in use stands in the next one. The heap is of a process that runs, or that has overwritten it:
//! a walk ends at the first chunk that cannot be, and what it did not reach is not explained.

use std::ops::Range;

use leakhunt_attach::PAGE_BYTES;

use super::region::Peek;

/// Least size of a chunk, and what all sizes are a multiple of.
const LEAST_CHUNK: u64 = 32;
const ALIGNMENT: u64 = 16;
/// What stands before the memory that `malloc` gives out.
const HEADER: u64 = 16;
/// Bits of a size: the chunk before is in use; it has a mapping to itself; it is not of the main arena.
const PREVIOUS_IN_USE: u64 = 1;
const IS_MAPPED: u64 = 2;
const BITS: u64 = 7;
/// Heaps of further arenas start at multiples of this (`HEAP_MAX_SIZE` on 64 bit).
pub(super) const HEAP_ALIGNMENT: u64 = 64 << 20;
/// The most that `heap_info` and `malloc_state` together take.
const MOST_ADMINISTRATION: u64 = 4096;

/// So many chunks in a row are no chance: each one's size must lead to another.
const LIKELY_CHUNKS: u32 = 8;

/// One chunk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Chunk {
    pub(super) range: Range<u64>,
    /// Freed chunks of up to 1 kB that wait for the thread that freed them count as used here.
    pub(super) is_used: bool,
}

/// How often a walk reads again what cannot be: it may have changed under it.
const MOST_RETRIES: u32 = 4;

/// Walks chunks from `heap.start` on and tells them to `each`. Where the walk ended: `heap.end`, or the
/// first chunk that cannot be. The last chunk, from which new ones are cut, is free.
pub(super) fn walk(memory: &impl Peek, heap: &Range<u64>, mut each: impl FnMut(Chunk)) -> u64 {
    let mut at = heap.start;
    let mut n_retries = 0;
    while at < heap.end {
        match chunk_at(memory, at, heap.end) {
            Some(chunk) => {
                at = chunk.range.end;
                each(chunk);
            }
            None if n_retries < MOST_RETRIES && at > heap.start => {
                n_retries += 1;
                memory.forget();
            }
            None => break,
        }
    }
    at
}

/// How far a place is looked for where a walk that broke goes on.
const MOST_SKIPPED: u64 = 1 << 20;

/// The first place behind `broken` from where chunks follow each other again.
pub(super) fn resumption(memory: &impl Peek, broken: u64, end: u64) -> Option<u64> {
    let last = end.min(broken.saturating_add(MOST_SKIPPED));
    let mut places = (broken.saturating_add(ALIGNMENT)..last).step_by(ALIGNMENT as usize);
    places.find(|&start| starts_chunks(memory, start, end))
}

/// Whether so many chunks follow each other from `start` on, or those up to `end`, that it is no chance.
fn starts_chunks(memory: &impl Peek, start: u64, end: u64) -> bool {
    let mut at = start;
    for _ in 0..LIKELY_CHUNKS {
        match chunk_at(memory, at, end) {
            Some(chunk) if chunk.range.end == end => return true,
            Some(chunk) => at = chunk.range.end,
            None => return false,
        }
    }
    true
}

/// The chunk at `at`, which the one behind it, or `end`, bears out.
fn chunk_at(memory: &impl Peek, at: u64, end: u64) -> Option<Chunk> {
    let len = size_at(memory, at)? & !BITS;
    let next = at.checked_add(len).filter(|&next| next <= end)?;
    let is_used = next < end && size_at(memory, next)? & PREVIOUS_IN_USE != 0;
    Some(Chunk {
        range: at..next,
        is_used,
    })
}

/// The size field of the chunk at `at`, if there may be one.
fn size_at(memory: &impl Peek, at: u64) -> Option<u64> {
    let size = memory.word(at.checked_add(8)?)?;
    let len = size & !BITS;
    (len >= LEAST_CHUNK && len.is_multiple_of(ALIGNMENT) && size & IS_MAPPED == 0).then_some(size)
}

/// The length of the chunk with a mapping to itself at `at`, a page border, if there is one, within
/// `end`.
pub(super) fn mapped_chunk(header: &[u8], at: u64, end: u64) -> Option<u64> {
    let word = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
    let (padding, size) = (word(0)?, word(8)?);
    let given = size & !BITS;
    // From 2.43 on without the header.
    let len = match given.is_multiple_of(PAGE_BYTES) {
        true => given,
        false => given.checked_add(HEADER)?,
    };
    let is_chunk = padding == 0
        && size & BITS == IS_MAPPED
        && len > 0
        && len.is_multiple_of(PAGE_BYTES)
        && at.checked_add(len)? <= end;
    is_chunk.then_some(len)
}

/// The heap of a further arena.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ArenaHeap {
    /// With what it is administrated by.
    pub(super) range: Range<u64>,
    /// Its chunks.
    pub(super) chunks: Range<u64>,
}

/// The heap that starts at `at`, a multiple of [`HEAP_ALIGNMENT`], if one does; as much of it as is before
/// `end`. Where its first chunk is depends on the version; it is from where chunks follow each other.
pub(super) fn arena_heap(memory: &impl Peek, at: u64, end: u64) -> Option<ArenaHeap> {
    // `heap_info`: the arena, the heap before this one, the size, ...
    let arena = memory.word(at)?;
    let before = memory.word(at + 8)?;
    let size = memory.word(at + 16)?;
    let is_first = before == 0;
    let is_heap = (PAGE_BYTES..=HEAP_ALIGNMENT).contains(&size)
        && size.is_multiple_of(PAGE_BYTES)
        && before.is_multiple_of(HEAP_ALIGNMENT)
        && (arena / HEAP_ALIGNMENT == at / HEAP_ALIGNMENT) == is_first
        && arena % HEAP_ALIGNMENT < MOST_ADMINISTRATION;
    if !is_heap {
        return None;
    }
    let first = if is_first { arena } else { at };
    // It may have grown since it was seen what is mapped.
    let range = at..(at + size).min(end);
    let mut starts = (first + 32..(first + MOST_ADMINISTRATION).min(range.end)).step_by(16);
    let start = starts.find(|&start| {
        starts_chunks(memory, start, range.end) || is_end_mark(memory, start, range.end)
    })?;
    Some(ArenaHeap {
        chunks: start..range.end,
        range,
    })
}

/// Heaps that are not the last of their arena end with two marks of 16 bytes.
fn is_end_mark(memory: &impl Peek, at: u64, end: u64) -> bool {
    end - at <= 2 * LEAST_CHUNK
        && memory
            .word(at + 8)
            .is_some_and(|size| size & !BITS == HEADER)
}

/// Bytes of chunks that the main thread freed and keeps at hand (`tcache_perthread_struct`, since
/// glibc 2.26): the first chunk of a heap, with how many of each size there are. 0 where there is none.
pub(super) fn kept_at_hand(memory: &impl Peek, first_chunk: u64) -> u64 {
    const N_SIZES: u64 = 64;
    const MOST_OF_A_SIZE: u64 = 127;
    let (count_bytes, chunk) = match memory.word(first_chunk + 8).map(|size| size & !BITS) {
        Some(0x250) => (1, first_chunk + HEADER),
        Some(0x290) => (2, first_chunk + HEADER),
        _ => return 0,
    };
    let mut bytes = 0;
    for index in 0..N_SIZES {
        let mut count = [0; 2];
        let count_at = chunk + index * count_bytes;
        let entry_at = chunk + N_SIZES * count_bytes + index * 8;
        let counted = memory.read(count_at, &mut count[..count_bytes as usize]);
        let n_chunks = u64::from(u16::from_le_bytes(count));
        let is_empty = memory.word(entry_at).is_none_or(|entry| entry == 0);
        if counted.is_some() && n_chunks <= MOST_OF_A_SIZE && !is_empty {
            bytes += n_chunks * (index + 2) * ALIGNMENT;
        }
    }
    bytes
}

#[cfg(test)]
mod tests;
