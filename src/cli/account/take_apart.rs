//! One region after the other: which allocator has which piece of it, and what is in use.

use std::collections::BTreeSet;
use std::ops::Range;

use leakhunt_attach::PAGE_BYTES;
use leakhunt_heap::{BigBuffer, ObjId, Part, PartBytes, Snapshot};

use super::glibc::{self, ArenaHeap, HEAP_ALIGNMENT};
use super::owners::{FAR_BYTES, Owners};
use super::pools::Arena;
use super::region::{Region, Regions};

/// Zeroed data of a program or a library is no longer than this, as far as is known.
const MOST_ZEROED: u64 = 4 << 20;

/// How often the walk of one heap may break.
const MOST_BREAKS: u32 = 1000;

/// What is needed to tell pieces apart.
pub(super) struct Allocators<'a> {
    pub(super) regions: &'a Regions<'a>,
    pub(super) owners: &'a Owners<'a>,
    pub(super) snapshot: &'a Snapshot,
    pub(super) is_glibc: bool,
    pub(super) is_mimalloc: bool,
}

/// What a region is made of.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Sums up to what the page tables have in RAM, less what is not explained.
    pub(super) parts: PartBytes,
    pub(super) buffers: Vec<BigBuffer>,
}

/// A region while it is taken apart.
struct Work<'r> {
    region: &'r Region,
    taken: Taken,
    /// What is explained, ascending, without overlaps.
    covered: Vec<Range<u64>>,
}

impl Allocators<'_> {
    /// Takes a region apart. `arenas` are those of pymalloc in it.
    pub(super) fn take_apart(&self, region: &Region, arenas: Vec<Arena>) -> Taken {
        let mut work = Work {
            region,
            taken: Taken::default(),
            covered: Vec::new(),
        };
        for arena in arenas {
            work.taken.parts.add(&arena.parts);
            work.cover(arena.range);
        }
        if self.is_glibc {
            for heap in self.heaps(&work) {
                self.chunks(&mut work, &heap);
            }
            for gap in work.gaps() {
                self.mapped_chunks(&mut work, &gap);
            }
        }
        for gap in work.gaps() {
            self.buffers(&mut work, &gap);
        }
        for gap in work.gaps() {
            self.rest(&mut work, &gap);
        }
        work.taken
    }

    /// The heaps of malloc in what is not explained yet.
    fn heaps(&self, work: &Work<'_>) -> Vec<ArenaHeap> {
        let range = &work.region.range;
        if work.region.is_brk_heap {
            return vec![ArenaHeap {
                range: range.clone(),
                chunks: range.clone(),
            }];
        }
        let mut heaps = Vec::new();
        for gap in work.gaps() {
            let mut at = gap.start.next_multiple_of(HEAP_ALIGNMENT);
            while at < gap.end {
                heaps.extend(glibc::arena_heap(self.regions, at, gap.end));
                at += HEAP_ALIGNMENT;
            }
        }
        heaps
    }

    fn chunks(&self, work: &mut Work<'_>, heap: &ArenaHeap) {
        let pages = &work.region.pages;
        let mut parts = PartBytes::default();
        let mut walked: Vec<Range<u64>> = Vec::new();
        let mut start = Some(heap.chunks.start);
        for _ in 0..MOST_BREAKS {
            let Some(from) = start else { break };
            let reached = glibc::walk(self.regions, &(from..heap.chunks.end), |chunk| {
                let part = match chunk.is_used {
                    false => Part::MallocFree,
                    true if self.owners.of(&chunk.range).is_some() => Part::PythonMalloc,
                    true => Part::MallocUsed,
                };
                parts[part] += pages.bytes_in(&chunk.range);
            });
            if reached > from {
                walked.push(from..reached);
            }
            start = glibc::resumption(self.regions, reached, heap.chunks.end);
        }
        if walked.is_empty() {
            return;
        }
        let administration = heap.range.start..heap.chunks.start;
        let at_hand = glibc::kept_at_hand(self.regions, heap.chunks.start);
        let at_hand = at_hand.min(parts[Part::MallocUsed]);
        parts[Part::MallocUsed] -= at_hand;
        parts[Part::MallocUsed] += pages.bytes_in(&administration);
        parts[Part::MallocFree] += at_hand;
        work.taken.parts.add(&parts);
        walked.push(administration);
        for range in walked {
            work.cover(range);
        }
    }

    /// Chunks that have a mapping to themselves.
    fn mapped_chunks(&self, work: &mut Work<'_>, gap: &Range<u64>) {
        let mut at = gap.start.next_multiple_of(PAGE_BYTES);
        while at < gap.end {
            let header = self.regions.glimpse(at, 16);
            let len = header.and_then(|header| glibc::mapped_chunk(&header, at, gap.end));
            let Some(len) = len else {
                at += PAGE_BYTES;
                continue;
            };
            let range = at..at + len;
            at = range.end;
            match self.owners.of(&range) {
                Some(owner) => self.buffer(work, range, owner),
                None => work.add(Part::MallocUsed, range),
            }
        }
    }

    /// Large buffers that another allocator gave to an object.
    fn buffers(&self, work: &mut Work<'_>, gap: &Range<u64>) {
        let mut end_of_last = gap.start;
        let mut owners = BTreeSet::new();
        for &(pointer, owner) in self.owners.pointers_in(gap) {
            let len = self.snapshot.objects.size_bytes[owner.0 as usize]
                .saturating_sub(self.snapshot.type_of(owner).basic_size);
            if len >= FAR_BYTES && pointer >= end_of_last && owners.insert(owner) {
                let end = pointer.saturating_add(len).min(gap.end);
                self.buffer(work, pointer..end, owner);
                end_of_last = end;
            }
        }
    }

    fn buffer(&self, work: &mut Work<'_>, range: Range<u64>, owner: ObjId) {
        work.taken.buffers.push(BigBuffer {
            type_key: self.snapshot.type_of(owner).key(),
            owner: self.snapshot.objects.address[owner.0 as usize],
            path: String::new(),
            mapped_bytes: range.end - range.start,
            resident_bytes: work.region.pages.bytes_in(&range),
        });
        work.add(Part::Buffers, range);
    }

    /// What no allocator that can be read has.
    fn rest(&self, work: &mut Work<'_>, gap: &Range<u64>) {
        let resident = work.region.pages.bytes_in(gap);
        let is_zeroed_data = work.region.follows_file
            && gap.start == work.region.range.start
            && gap.end - gap.start <= MOST_ZEROED;
        if is_zeroed_data {
            work.taken.parts[Part::Files] += resident;
            return;
        }
        let of_objects = self.owners.bytes_of_objects_in(gap).min(resident);
        work.taken.parts[Part::PythonElsewhere] += of_objects;
        let other = match self.is_mimalloc && of_objects > 0 {
            true => Part::FreePools,
            false => Part::Unexplained,
        };
        work.taken.parts[other] += resident - of_objects;
    }
}

impl Work<'_> {
    fn add(&mut self, part: Part, range: Range<u64>) {
        self.taken.parts[part] += self.region.pages.bytes_in(&range);
        self.cover(range);
    }

    fn cover(&mut self, range: Range<u64>) {
        let place = self.covered.partition_point(|one| one.start < range.start);
        self.covered.insert(place, range);
    }

    /// What is not explained yet, ascending.
    fn gaps(&self) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = self.region.range.start;
        for covered in &self.covered {
            if covered.start > at {
                gaps.push(at..covered.start);
            }
            at = at.max(covered.end);
        }
        if at < self.region.range.end {
            gaps.push(at..self.region.range.end);
        }
        gaps
    }
}
