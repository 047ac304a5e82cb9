//! Whose a piece of memory is: of the object that lies in it, or that points to it.
//!
//! What objects point to outside of the pools is read from their own fields, whatever their type:
//! item lists, tables of keys, elements of arrays. For arrays of other libraries, whose elements are
//! some structures away, these are followed too.

use std::ops::Range;

use leakhunt_attach::PAGE_BYTES;
use leakhunt_heap::{ObjId, Snapshot};

use super::region::{Peek, Regions};

/// The most bytes of an object's fields that are read.
const MOST_FIELDS: u64 = 1024;
/// An object of more than this has something beside it: pools have no larger blocks.
const LARGEST_BLOCK: u64 = 512;
/// From this size on, an object's memory may be behind structures that are no objects.
pub(super) const FAR_BYTES: u64 = 64 << 10;
/// How many of these are followed, each after the other, …
const MOST_STEPS: u32 = 6;
/// … how many words of each, …
const STEP_WORDS: usize = 24;
/// … and how many for one object.
const MOST_STRUCTURES: usize = 400;

/// What is in front of the memory that was asked for: a header, an alignment to a page at most.
const MOST_IN_FRONT: u64 = PAGE_BYTES;

/// The items of a `deque` are in blocks of 64, which are linked both ways: in front and behind
/// (CPython, `Modules/_collectionsmodule.c`).
const DEQUE_BLOCK: u64 = 528;
const DEQUE_NEXT: u64 = 520;

/// See the module.
pub(super) struct Owners<'a> {
    snapshot: &'a Snapshot,
    /// Where objects point to that is no object, ascending; 16 bytes each.
    pointers: Vec<(u64, ObjId)>,
}

impl<'a> Owners<'a> {
    /// Reads the fields of objects that are not in `pools` (ascending) or that have memory beside them.
    pub(super) fn find(
        snapshot: &'a Snapshot,
        regions: &Regions<'_>,
        pools: &[Range<u64>],
    ) -> Self {
        let mut finder = Finder {
            snapshot,
            regions,
            pools,
            pointers: Vec::new(),
            fields: Vec::new(),
        };
        for object in snapshot.ids() {
            finder.look_at(object);
        }
        let mut pointers = finder.pointers;
        pointers.sort_unstable();
        Self { snapshot, pointers }
    }

    /// Whose a chunk is; the first object that lies in it, or that points to where it starts.
    ///
    /// Fields that are no pointers may look like one that leads somewhere into a large chunk: half of
    /// a word may be what was there before, and flags the other half.
    pub(super) fn of(&self, chunk: &Range<u64>) -> Option<ObjId> {
        self.object_in(chunk).or_else(|| {
            let start = chunk.start..chunk.end.min(chunk.start + MOST_IN_FRONT);
            let &(_, object) = self.pointers_in(&start).first()?;
            Some(object)
        })
    }

    /// Where objects point to within a range, ascending.
    pub(super) fn pointers_in(&self, range: &Range<u64>) -> &[(u64, ObjId)] {
        let place = |at| self.pointers.partition_point(|&(pointer, _)| pointer < at);
        &self.pointers[place(range.start)..place(range.end)]
    }

    /// The sizes of all objects in a range, summed.
    pub(super) fn bytes_of_objects_in(&self, range: &Range<u64>) -> u64 {
        let objects = &self.snapshot.objects;
        let place = |at| objects.address.partition_point(|&address| address < at);
        let sizes = &objects.size_bytes[place(range.start)..place(range.end)];
        let small = sizes.iter().map(|&size| match size {
            // Its memory is found by itself, unless that is the object.
            FAR_BYTES.. => size.min(range.end - range.start),
            _ => size,
        });
        small.fold(0, u64::saturating_add)
    }

    fn object_in(&self, range: &Range<u64>) -> Option<ObjId> {
        let addresses = &self.snapshot.objects.address;
        let first = addresses.partition_point(|&address| address < range.start);
        let is_in = addresses.get(first).is_some_and(|at| range.contains(at));
        is_in.then(|| ObjId(u32::try_from(first).unwrap_or(u32::MAX)))
    }
}

struct Finder<'f, 's> {
    snapshot: &'f Snapshot,
    regions: &'f Regions<'s>,
    pools: &'f [Range<u64>],
    pointers: Vec<(u64, ObjId)>,
    fields: Vec<u8>,
}

impl Finder<'_, '_> {
    fn look_at(&mut self, object: ObjId) {
        let index = object.0 as usize;
        let address = self.snapshot.objects.address[index];
        let size = self.snapshot.objects.size_bytes[index];
        if size <= LARGEST_BLOCK && self.is_pooled(address) {
            return;
        }
        let class = self.snapshot.type_of(object);
        if class.is_frame() {
            return;
        }
        let n_fields = class.basic_size.clamp(16, MOST_FIELDS).next_multiple_of(8);
        let first = self.pointers.len();
        self.read_pointers(object, address, n_fields as usize);
        if class.module == "collections" && class.qualname == "deque" {
            self.deque_blocks(object, first, size / DEQUE_BLOCK + 1);
        } else if size >= FAR_BYTES {
            self.follow(object, first);
        }
    }

    /// Notes what the words at `address` point to. Objects have owners of their own.
    fn read_pointers(&mut self, object: ObjId, address: u64, n_bytes: usize) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.resize(n_bytes, 0);
        if self.regions.read(address, &mut fields).is_some() {
            let (words, _) = fields.as_chunks::<8>();
            for word in words {
                let pointer = u64::from_le_bytes(*word);
                let is_of_interest = pointer.is_multiple_of(8)
                    && self.regions.at(pointer).is_some()
                    && !self.is_pooled(pointer)
                    && self.snapshot.objects.at(pointer).is_none();
                if is_of_interest {
                    self.pointers.push((pointer, object));
                }
            }
        }
        self.fields = fields;
    }

    /// Goes on from the pointers that were found for an object, breadth first.
    fn follow(&mut self, object: ObjId, first: usize) {
        let mut from = first;
        for _ in 0..MOST_STEPS {
            let to = self.pointers.len();
            for place in from..to.min(first + MOST_STRUCTURES) {
                let known = &self.pointers[first..place];
                let (pointer, _) = self.pointers[place];
                if !known.iter().any(|&(one, _)| one == pointer) {
                    self.read_pointers(object, pointer, STEP_WORDS * 8);
                }
            }
            from = to;
        }
    }

    /// Goes from the first block that the object points to to the last.
    fn deque_blocks(&mut self, object: ObjId, first: usize, n_blocks: u64) {
        let Some(&(mut block, _)) = self.pointers.get(first) else {
            return;
        };
        for _ in 0..n_blocks {
            let next = block.checked_add(DEQUE_NEXT);
            let next = next.and_then(|at| self.regions.word(at)).unwrap_or(0);
            if next == 0 || self.regions.word(next) != Some(block) {
                break;
            }
            self.pointers.push((next, object));
            block = next;
        }
    }

    fn is_pooled(&self, address: u64) -> bool {
        let after = self.pools.partition_point(|pool| pool.start <= address);
        let before = after.checked_sub(1).and_then(|place| self.pools.get(place));
        before.is_some_and(|pool| pool.contains(&address))
    }
}
