//! The collector's lists of objects, in builds with the GIL.
//!
//! Their place differs even between patch levels, so it is found by looking where the interpreter
//! links a new object, and every head is checked to be one.

use core::ptr;

use leakhunt_wire::Capi;

use crate::atexit_entry::read;
use crate::capi::CApi;
use crate::memory::{Memory, prefetch};

/// Bytes of the collector's header before each object: two links.
pub(crate) const GC_HEADER: usize = 16;
/// The collector keeps marks in the lowest bits of the links.
const LINK: usize = !3;
/// Length of a `struct gc_generation`: the head of a list, a threshold and a count.
pub(crate) const GENERATION: usize = 24;
/// Objects handed on at once from each end.
const BATCH: usize = 64;

/// The heads of the lists: three generations, young first, then the frozen objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lists {
    pub(crate) heads: [usize; 4],
}

/// Index of the frozen objects' list in [`Lists::heads`].
pub(crate) const FROZEN: usize = 3;

/// The links of a list do not fit together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BrokenList;

impl Lists {
    /// Finds the lists of the interpreter by making a list object and letting it go.
    ///
    /// # Safety
    /// The caller holds the GIL of a build with one.
    pub(crate) unsafe fn find(capi: &CApi, memory: Memory, interpreter: usize) -> Option<Self> {
        // SAFETY: the caller holds the GIL; an empty list runs no code when it is made or freed.
        let probe = unsafe { capi.new_list(0) };
        if probe.is_null() {
            // SAFETY: as above.
            unsafe { capi.clear_error() };
            return None;
        }
        // A new object is the last of the young ones, so that its successor is the head.
        let young = memory.word(probe as usize - GC_HEADER) & LINK;
        let runtime = capi.address(Capi::_PyRuntime);
        let lists = Self::from_young(memory, young, &[interpreter, runtime]);
        // SAFETY: as above; this is the reference that `new_list` gave.
        unsafe { capi.decref(probe) };
        lists
    }

    fn from_young(memory: Memory, young: usize, owners: &[usize]) -> Option<Self> {
        // Up to 3.8 the heads are in the runtime, later in the interpreter, both far shorter.
        const LARGEST_OWNER: usize = 1 << 20;
        let is_owned =
            |&owner: &usize| owner != 0 && (owner..owner + LARGEST_OWNER).contains(&young);
        if !owners.iter().any(is_owned) {
            return None;
        }
        // Most versions keep a pointer to the young generation before the frozen one. It stands at a
        // multiple of 8 even where the heads do not (3.13.18).
        let after = young + 3 * GENERATION;
        let pointer = after.next_multiple_of(8);
        let frozen = if memory.word(pointer) == young {
            pointer + 8
        } else {
            after
        };
        let heads = [young, young + GENERATION, young + 2 * GENERATION, frozen];
        heads
            .iter()
            .all(|&head| is_head(head))
            .then_some(Self { heads })
    }

    /// Where the collector notes that it is at work, for the versions (3.9 to 3.12) that keep it
    /// at a fixed distance: heads, pointer to the young one, frozen, and statistics come before.
    pub(crate) fn collecting_flag(&self, minor: u32) -> usize {
        match minor {
            8..=12 => self.heads[0] + 3 * GENERATION + 8 + GENERATION + 3 * 24,
            _ => 0,
        }
    }

    /// How many collections of the old generation there were; 0 where that is not known.
    pub(crate) fn full_collections(&self, memory: Memory, minor: u32) -> u64 {
        self.collections(memory, minor, 2)
    }

    /// How many collections of a generation there were; 0 where that is not known.
    pub(crate) fn collections(&self, memory: Memory, minor: u32, generation: usize) -> u64 {
        // Of each generation collections, objects freed and not freed.
        const STATISTICS: usize = 24;
        let statistics = self.statistics();
        match minor {
            8..=14 => memory.word(statistics + generation * STATISTICS) as u64,
            _ => collections_of_rings(memory, memory.word(statistics), generation),
        }
    }

    /// Where the statistics are, after the frozen objects, or from 3.15 on what points to them.
    pub(crate) fn statistics(&self) -> usize {
        (self.heads[FROZEN] + GENERATION).next_multiple_of(8)
    }

    /// The objects that were made after `object`, as long as no collection came between; some of
    /// them at most.
    pub(crate) fn successors(self, memory: Memory, object: usize) -> impl Iterator<Item = usize> {
        const MOST: usize = 1000;
        let mut link = object - GC_HEADER;
        (0..MOST).map_while(move |_| {
            link = next(memory, link);
            (!self.heads.contains(&link)).then_some(link + GC_HEADER)
        })
    }

    /// Whether no more than `most` objects are tracked.
    pub(crate) fn hold_no_more_than(&self, memory: Memory, most: u64) -> bool {
        let mut n_objects = 0;
        for head in self.heads {
            let mut link = next(memory, head);
            while link != head {
                n_objects += 1;
                if n_objects > most {
                    return false;
                }
                link = next(memory, link);
            }
        }
        true
    }

    /// Follows every link once, one way, as the bound of what any walk costs. Answers the number of
    /// objects.
    pub(crate) fn bare_walk(&self, memory: Memory) -> u64 {
        let mut n_objects = 0;
        for head in self.heads {
            let mut link = next(memory, head);
            while link != head {
                n_objects += 1;
                link = next(memory, link);
            }
        }
        core::hint::black_box(n_objects)
    }

    /// Walks one list from both ends at once, which halves the time: the two chains of cache misses
    /// overlap. `see` gets some objects in list order and some against it. A list of more than `most`
    /// objects is a broken one.
    pub(crate) fn walk(
        &self,
        memory: Memory,
        list: usize,
        most: u64,
        mut see: impl FnMut(&[usize], &[usize]),
    ) -> Result<(), BrokenList> {
        let head = self.heads[list];
        let (mut front, mut back) = (next(memory, head), previous(memory, head));
        if front == head {
            return Ok(());
        }
        let (mut fronts, mut backs) = ([0; BATCH], [0; BATCH]);
        let mut is_done = false;
        let mut n_seen = 0;
        while !is_done {
            if n_seen > most {
                return Err(BrokenList);
            }
            let (mut n_fronts, mut n_backs) = (0, 0);
            while n_fronts < BATCH {
                fronts[n_fronts] = front + GC_HEADER;
                n_fronts += 1;
                if front == back {
                    is_done = true;
                    break;
                }
                prefetch(front + GC_HEADER + 32);
                backs[n_backs] = back + GC_HEADER;
                n_backs += 1;
                prefetch(back + GC_HEADER + 32);
                let after = next(memory, front);
                if after == back {
                    is_done = true;
                    break;
                }
                if after == head || after == 0 {
                    return Err(BrokenList);
                }
                front = after;
                back = previous(memory, back);
                if back == head || back == 0 {
                    return Err(BrokenList);
                }
            }
            n_seen += (n_fronts + n_backs) as u64;
            see(&fronts[..n_fronts], &backs[..n_backs]);
        }
        Ok(())
    }
}

/// From 3.15 on the statistics of the last collections are kept, each generation's in a ring.
fn collections_of_rings(memory: Memory, rings: usize, generation: usize) -> u64 {
    const ENTRY: usize = 64;
    const COLLECTIONS: usize = 16;
    const YOUNG_ENTRIES: usize = 11;
    const OLD_ENTRIES: usize = 3;
    // After the entries of a ring comes the index of the newest.
    const YOUNG: usize = YOUNG_ENTRIES * ENTRY + 8;
    const OLD: usize = OLD_ENTRIES * ENTRY + 8;
    if rings == 0 {
        return 0;
    }
    let (ring, n_entries) = match generation {
        0 => (rings, YOUNG_ENTRIES),
        1 => (rings + YOUNG, OLD_ENTRIES),
        _ => (rings + YOUNG + OLD, OLD_ENTRIES),
    };
    let newest = usize::from(memory.byte(ring + n_entries * ENTRY));
    if newest < n_entries {
        memory.word(ring + newest * ENTRY + COLLECTIONS) as u64
    } else {
        0
    }
}

#[inline(always)]
fn next(memory: Memory, link: usize) -> usize {
    memory.word(link) & LINK
}

#[inline(always)]
fn previous(memory: Memory, link: usize) -> usize {
    memory.word(link + 8) & LINK
}

/// Whether a list has its head there. What is not one may hold anything.
fn is_head(head: usize) -> bool {
    let links =
        |link| read(link).map(|[next, previous]: [usize; 2]| (next & LINK, previous & LINK));
    let Some((after, before)) = links(head) else {
        return false;
    };
    links(after).is_some_and(|(_, previous)| previous == head)
        && links(before).is_some_and(|(next, _)| next == head)
}

/// An object's address as the interpreter passes it.
pub(crate) fn as_object(address: usize) -> crate::capi::Object {
    ptr::with_exposed_provenance_mut(address)
}
