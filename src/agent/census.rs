//! The census: objects and bytes by type, and how much of it is garbage.

use core::ffi::{c_int, c_void};

use leakhunt_wire::{Capi, CensusRequest, Garbage, Reply, WalkEnd};

use crate::buffer::Budget;
use crate::capi::Object;
use crate::garbage::Search;
use crate::outbox::Outbox;
use crate::own::OwnObjects;
use crate::sizes::TypeSize;
use crate::sys;
use crate::tally::{Tally, Walk, WalkError, add_to};
use crate::types::TypeEntry;

/// What is known of a walk when its objects are counted.
pub(crate) struct Counted {
    pub(crate) walk_us: u64,
    pub(crate) bare_walk_us: u64,
    /// Whether to count once more by the interpreter's own enumeration.
    pub(crate) cross_check: bool,
}

impl Walk<'_> {
    /// What the copy counts for a request.
    pub(crate) fn census_tally(&self, request: &CensusRequest) -> Result<Tally<'_>, WalkError> {
        Ok(Tally::new(
            self,
            request.memory_limit_bytes,
            request.garbage,
            &|_, _| false,
        )?)
    }

    /// Sends what was counted: rows of all types, their sums, and how much of each is garbage.
    pub(crate) fn finish_census(
        &self,
        mut tally: Tally<'_>,
        counted: &Counted,
        outbox: &mut Outbox,
    ) -> Result<(), WalkError> {
        tally.leave_out_own();
        tally.send_types(outbox)?;
        let all = tally.sum(|entry| entry.all);
        let end = WalkEnd {
            all,
            frozen: tally.sum(|entry| entry.frozen),
            cross_check: if counted.cross_check {
                self.count_visits(all.n_objects)
            } else {
                0
            },
            walk_us: counted.walk_us,
            bare_walk_us: counted.bare_walk_us,
            is_during_collection: self.is_during_collection,
            own_bytes: tally.budget.used_bytes(),
        };
        outbox.put(&Reply::WalkEnd(end), &mut tally.budget)?;
        self.garbage(tally, outbox)
    }

    fn garbage(&self, mut tally: Tally<'_>, outbox: &mut Outbox) -> Result<(), WalkError> {
        let start = sys::now_us();
        let Some(mut objects) = tally.take_objects() else {
            return Ok(());
        };
        let n_objects = objects.number(&mut tally.budget)?;
        let search = Search {
            heap: self.heap,
            memory: self.memory,
            objects: &objects,
            n_objects,
            progress: self.progress,
            skipped_type: self.skipped_type,
        };
        let Tally { types, budget, .. } = &mut tally;
        let heap = self.heap;
        let mut type_budget = Budget::new(u64::MAX);
        search.run(budget, |object| {
            let type_object = heap.layout.type_of(self.memory, object);
            let make = || {
                let size = TypeSize::of(&heap.layout, self.memory, &heap.capi, type_object);
                TypeEntry::new(type_object, size, false)
            };
            let entry = types.entry(type_object, &mut type_budget, make)?;
            let size_bytes = entry.size.of_object(&heap.layout, self.memory, object) as u64;
            add_to(&mut entry.garbage, size_bytes);
            Ok(())
        })?;
        for index in 0..tally.types.entries().len() {
            let entry = tally.types.entries()[index];
            if entry.garbage.n_objects > 0 {
                let type_address = entry.address as u64;
                let row = Garbage {
                    type_address,
                    count: entry.garbage,
                };
                outbox.put(&Reply::Garbage(row), &mut tally.budget)?;
            }
        }
        let end = Reply::GarbageEnd(sys::now_us() - start);
        outbox.put(&end, &mut tally.budget)?;
        Ok(())
    }

    /// How many objects the interpreter's own enumeration shows; 0 where there is none. It writes to
    /// each object's reference count, which in a copy costs a page, so that it is stopped after some:
    /// where it goes on for that long, it is taken to show as many as were counted.
    fn count_visits(&self, n_counted: u64) -> u64 {
        const ENOUGH: u64 = 10_000;
        unsafe extern "C" fn count_one(object: Object, argument: *mut c_void) -> c_int {
            // SAFETY: `argument` is the pair below, used by this callback alone meanwhile.
            let (own, n_objects) = unsafe { &mut *argument.cast::<(OwnObjects, u64)>() };
            *n_objects += u64::from(!own.contain(object as usize));
            c_int::from(*n_objects < ENOUGH)
        }
        let mut visits = (self.heap.own, 0_u64);
        if self.heap.capi.has(Capi::PyUnstable_GC_VisitObjects) {
            let argument = (&raw mut visits).cast();
            // SAFETY: as in `Tally::add_visits`.
            unsafe { self.heap.capi.visit_objects(count_one, argument) };
        }
        match visits.1 {
            ENOUGH if n_counted > ENOUGH => n_counted,
            n_shown => n_shown,
        }
    }
}
