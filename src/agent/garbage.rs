//! Which objects only the collector has to find: unreachable, and not yet freed.
//!
//! The collector's own arithmetic (CPython's `gc.c`: `update_refs`, `subtract_refs`,
//! `move_unreachable`), without writing to an object: from each reference count the references that
//! tracked objects hold are subtracted; what is left over comes from outside, and all that is
//! reached from there lives. Frozen objects count as outside, as they do for the collector.
//! `O(objects + references)`, about 5 bytes an object beside the set.

use core::ffi::{c_int, c_void};

use crate::buffer::{Budget, Buffer, NoMemory};
use crate::capi::{Object, Traverse, Visit};
use crate::heap::Heap;
use crate::lists::as_object;
use crate::memory::{Memory, prefetch};
use crate::object_set::ObjectSet;
use crate::progress::Progress;

/// What a count of references is cut to: enough to be from outside whatever is subtracted.
const MANY: u64 = 1 << 30;

/// What the search works on.
pub(crate) struct Search<'a> {
    pub(crate) heap: &'a Heap,
    pub(crate) memory: Memory,
    pub(crate) objects: &'a ObjectSet,
    pub(crate) n_objects: usize,
    pub(crate) progress: &'a Progress,
    /// A type whose objects' references are not followed, because its code crashed before: what
    /// they hold then looks held from outside.
    pub(crate) skipped_type: usize,
}

impl Search<'_> {
    /// Calls `see` with each unreachable object.
    pub(crate) fn run(
        &self,
        budget: &mut Budget,
        see: impl FnMut(usize) -> Result<(), NoMemory>,
    ) -> Result<(), NoMemory> {
        let mut references = Buffer::<u32>::zeroed(self.n_objects, budget)?;
        self.count_references_from_outside(&mut references);
        let reached = self.reach(&references, budget)?;
        drop(references);
        self.each_unreached(&reached, see)
    }

    fn count_references_from_outside(&self, references: &mut Buffer<u32>) {
        let mut subtract = Subtract {
            objects: self.objects,
            references,
        };
        let argument = &raw mut subtract;
        self.objects.each_batch(|first_rank, batch| {
            self.prefetch(batch);
            for (index, &object) in batch.iter().enumerate() {
                let count = self.heap.layout.reference_count(self.memory, object);
                let count = count.unwrap_or(MANY).min(MANY) as u32;
                // SAFETY: `argument` is of the local above; between calls of `subtract_one` this is
                // the only use of it.
                unsafe { (*argument).add(first_rank + index, count) };
                self.traverse(object, subtract_one, argument.cast());
            }
        });
    }

    fn reach(&self, references: &[u32], budget: &mut Budget) -> Result<Buffer<u64>, NoMemory> {
        let reached = Buffer::zeroed(self.n_objects.div_ceil(64), budget)?;
        let mut reach = Reach {
            objects: self.objects,
            reached,
            stack: Buffer::new(),
            budget,
            failed: false,
        };
        let argument = &raw mut reach;
        self.objects.each_batch(|first_rank, batch| {
            for (index, &object) in batch.iter().enumerate() {
                if references[first_rank + index] as i32 <= 0 {
                    continue;
                }
                // SAFETY: `argument` is of the local above; `reach_one` runs only within
                // `traverse`, and no borrow made here lasts over that call.
                unsafe {
                    (*argument).add(first_rank + index, object);
                    while let Some(next) = (*argument).stack.pop() {
                        self.traverse(next, reach_one, argument.cast());
                    }
                }
            }
        });
        if reach.failed {
            Err(NoMemory)
        } else {
            Ok(reach.reached)
        }
    }

    fn each_unreached(
        &self,
        reached: &[u64],
        mut see: impl FnMut(usize) -> Result<(), NoMemory>,
    ) -> Result<(), NoMemory> {
        let mut result = Ok(());
        self.objects.each_batch(|first_rank, batch| {
            for (index, &object) in batch.iter().enumerate() {
                let rank = first_rank + index;
                if reached[rank / 64] >> (rank % 64) & 1 == 0 && result.is_ok() {
                    result = see(object);
                }
            }
        });
        result
    }

    /// Lets the object's type call `visit` for each object that it refers to, as the collector does.
    #[inline(always)]
    fn traverse(&self, object: usize, visit: Visit, argument: *mut c_void) {
        let type_object = self.heap.layout.type_of(self.memory, object);
        if type_object == self.skipped_type {
            return;
        }
        let address = self.heap.layout.traverse(self.memory, type_object);
        if address == 0 {
            return;
        }
        self.progress.enter(object, type_object);
        // SAFETY: the address is the type's `tp_traverse`, and `object` is a tracked object of that
        // type. It calls `visit` alone, which changes nothing of the heap.
        unsafe {
            let traverse: Traverse = core::mem::transmute(address);
            traverse(as_object(object), visit, argument);
        }
        self.progress.leave();
    }

    /// Loads what the traversal of these objects reads first.
    #[inline(always)]
    fn prefetch(&self, batch: &[usize]) {
        let layout = &self.heap.layout;
        for &object in batch {
            prefetch(object);
            prefetch(object + 48);
        }
        for &object in batch {
            let type_object = layout.type_of(self.memory, object);
            if type_object == self.heap.list_type {
                prefetch(self.memory.word(object + layout.header + 8));
            } else if type_object == self.heap.dict_type {
                let keys = self.memory.word(object + layout.header + 16);
                prefetch(keys);
                prefetch(keys + 64);
            }
        }
    }
}

struct Subtract<'a> {
    objects: &'a ObjectSet,
    references: &'a mut Buffer<u32>,
}

impl Subtract<'_> {
    /// Adds `count`; `u32::MAX` subtracts one. It wraps, so that the order does not matter.
    #[inline(always)]
    fn add(&mut self, rank: usize, count: u32) {
        let place = &mut self.references[rank];
        *place = place.wrapping_add(count);
    }
}

unsafe extern "C" fn subtract_one(object: Object, argument: *mut c_void) -> c_int {
    // SAFETY: `argument` is the `Subtract` of `count_references_from_outside`.
    let subtract = unsafe { &mut *argument.cast::<Subtract<'_>>() };
    if let Some(rank) = subtract.objects.rank(object as usize) {
        subtract.add(rank, u32::MAX);
    }
    0
}

struct Reach<'a> {
    objects: &'a ObjectSet,
    /// One bit an object, by rank.
    reached: Buffer<u64>,
    stack: Buffer<usize>,
    budget: &'a mut Budget,
    failed: bool,
}

impl Reach<'_> {
    #[inline(always)]
    fn add(&mut self, rank: usize, object: usize) {
        let bit = 1 << (rank % 64);
        if self.reached[rank / 64] & bit == 0 {
            self.reached[rank / 64] |= bit;
            prefetch(object);
            self.failed |= self.stack.push(object, self.budget).is_err();
        }
    }
}

unsafe extern "C" fn reach_one(object: Object, argument: *mut c_void) -> c_int {
    // SAFETY: `argument` is the `Reach` of the function of that name.
    let reach = unsafe { &mut *argument.cast::<Reach<'_>>() };
    if let Some(rank) = reach.objects.rank(object as usize) {
        reach.add(rank, object as usize);
    }
    0
}
