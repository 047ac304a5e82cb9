//! What is counted while the objects come by, in whatever way they are enumerated.

use core::ffi::{c_int, c_void};

use leakhunt_wire::{Count, Reply, TypeRow};

use crate::buffer::{Budget, Buffer, NoMemory};
use crate::capi::Object;
use crate::describe::Wanted;
use crate::heap::Heap;
use crate::lists::{BrokenList, FROZEN, Lists};
use crate::memory::Memory;
use crate::object_set::{ObjectSet, Rejected};
use crate::outbox::{NotSent, Outbox};
use crate::progress::Progress;
use crate::sizes::TypeSize;
use crate::types::{TypeEntry, TypeName, TypeTable};

/// Why a walk ends early.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WalkError {
    NoMemory,
    BrokenList,
    NotSent,
    /// It was asked to end.
    Stopped,
    TimeLimit,
    /// Python of ours does not get on in this copy, whatever it is to look at.
    Stuck,
}

impl From<NoMemory> for WalkError {
    fn from(NoMemory: NoMemory) -> Self {
        Self::NoMemory
    }
}
impl From<BrokenList> for WalkError {
    fn from(BrokenList: BrokenList) -> Self {
        Self::BrokenList
    }
}
impl From<NotSent> for WalkError {
    fn from(NotSent: NotSent) -> Self {
        Self::NotSent
    }
}

/// A walk of all objects.
pub(crate) struct Walk<'a> {
    pub(crate) heap: &'a Heap,
    pub(crate) memory: Memory,
    pub(crate) progress: &'a Progress,
    pub(crate) skipped_type: usize,
    /// Whether fields are not to be trusted of which the type does not tell the collector.
    pub(crate) is_careful: bool,
    pub(crate) is_during_collection: bool,
    /// See [`crate::job::Start`].
    pub(crate) has_other_copies: bool,
}

/// What is counted while objects come by.
pub(crate) struct Tally<'a> {
    heap: &'a Heap,
    memory: Memory,
    pub(crate) types: TypeTable<TypeEntry>,
    pub(crate) budget: Budget,
    /// The objects that a collection would look at; `None` when nobody asks for garbage.
    objects: Option<ObjectSet>,
    has_odd_addresses: bool,
    n_seen: u64,
    is_wanted: &'a dyn Fn(usize, &TypeName) -> bool,
    /// Of the objects of wanted types, only these are.
    only: Option<&'a Wanted>,
    /// The objects of wanted types, in list order.
    pub(crate) wanted: Buffer<usize>,
    /// Those of the list at hand that were met from its end.
    wanted_from_end: Buffer<usize>,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(
        walk: &Walk<'a>,
        memory_limit_bytes: u64,
        with_garbage: bool,
        is_wanted: &'a dyn Fn(usize, &TypeName) -> bool,
    ) -> Result<Self, NoMemory> {
        let mut budget = Budget::new(memory_limit_bytes);
        Ok(Self {
            heap: walk.heap,
            memory: walk.memory,
            types: TypeTable::new(&mut budget)?,
            objects: if with_garbage {
                Some(ObjectSet::new(&mut budget)?)
            } else {
                None
            },
            budget,
            has_odd_addresses: false,
            n_seen: 0,
            is_wanted,
            only: None,
            wanted: Buffer::new(),
            wanted_from_end: Buffer::new(),
        })
    }

    /// Gathers single objects instead of all of some types.
    pub(crate) fn only(self, wanted: &'a Wanted) -> Self {
        let only = Some(wanted);
        Self { only, ..self }
    }

    #[inline(always)]
    fn add(&mut self, object: usize, is_frozen: bool) -> Result<&mut TypeEntry, NoMemory> {
        let (heap, memory) = (self.heap, self.memory);
        if let (Some(objects), false) = (&mut self.objects, is_frozen) {
            match objects.insert(object, &mut self.budget) {
                Ok(()) => {}
                Err(Rejected::NoMemory) => return Err(NoMemory),
                Err(Rejected::OddAddress) => self.has_odd_addresses = true,
            }
        }
        let type_object = heap.layout.type_of(memory, object);
        let (is_wanted, only) = (self.is_wanted, self.only);
        let entry = self.types.entry(type_object, &mut self.budget, || {
            let size = TypeSize::of(&heap.layout, memory, &heap.capi, type_object);
            let name = TypeName::of(&heap.layout, memory, &heap.capi, type_object);
            let is_wanted = only.map_or_else(
                || is_wanted(type_object, &name),
                |only| only.has_type(type_object),
            );
            TypeEntry::new(type_object, size, is_wanted)
        })?;
        let size_bytes = entry.size.of_object(&heap.layout, memory, object) as u64;
        add_to(&mut entry.all, size_bytes);
        if is_frozen {
            add_to(&mut entry.frozen, size_bytes);
        }
        Ok(entry)
    }

    #[inline(always)]
    fn add_from_front(
        &mut self,
        object: usize,
        place: u64,
        is_frozen: bool,
    ) -> Result<(), NoMemory> {
        if self.heap.own.contain(object) {
            return Ok(());
        }
        let entry = self.add(object, is_frozen)?;
        entry.first_seen = entry.first_seen.min(place);
        if entry.is_wanted && self.picks(object) {
            self.wanted.push(object, &mut self.budget)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn add_from_end(&mut self, object: usize, place: u64, is_frozen: bool) -> Result<(), NoMemory> {
        if self.heap.own.contain(object) {
            return Ok(());
        }
        let entry = self.add(object, is_frozen)?;
        entry.last_from_end = place;
        if entry.is_wanted && self.picks(object) {
            self.wanted_from_end.push(object, &mut self.budget)?;
        }
        Ok(())
    }

    fn picks(&self, object: usize) -> bool {
        self.only
            .is_none_or(|only| only.contains(object, self.heap.layout.type_of(self.memory, object)))
    }

    /// Adds all objects of the interpreter's lists, which hold no more than `most` each.
    pub(crate) fn add_lists(&mut self, lists: &Lists, most: u64) -> Result<(), WalkError> {
        (0..lists.heads.len()).try_for_each(|list| self.add_list(lists, list, most))
    }

    fn add_list(&mut self, lists: &Lists, list: usize, most: u64) -> Result<(), WalkError> {
        let is_frozen = list == FROZEN;
        let mut place = self.n_seen;
        let mut from_end = 0;
        let mut result = Ok(());
        lists.walk(self.memory, list, most, |fronts, backs| {
            for &object in fronts {
                result = result.and(self.add_from_front(object, place, is_frozen));
                place += 1;
            }
            for &object in backs {
                from_end += 1;
                result = result.and(self.add_from_end(object, from_end, is_frozen));
            }
        })?;
        result?;
        self.n_seen = place + from_end;
        // Types met only from the end: now that the list's length is known, so is their place.
        let n_seen = self.n_seen;
        for entry in self.types.entries_mut() {
            if entry.first_seen == u64::MAX && entry.last_from_end != 0 {
                entry.first_seen = n_seen - entry.last_from_end;
            }
            entry.last_from_end = 0;
        }
        while let Some(object) = self.wanted_from_end.pop() {
            self.wanted.push(object, &mut self.budget)?;
        }
        Ok(())
    }

    /// Adds one object that `PyUnstable_GC_VisitObjects` shows.
    pub(crate) fn add_visited(&mut self, object: usize) -> Result<(), NoMemory> {
        let place = self.n_seen;
        self.n_seen += 1;
        self.add_from_front(object, place, false)
    }

    /// Adds all objects that `PyUnstable_GC_VisitObjects` shows.
    pub(crate) fn add_visits(&mut self) -> Result<(), WalkError> {
        unsafe extern "C" fn visit_one(object: Object, argument: *mut c_void) -> c_int {
            // SAFETY: `argument` is the pair below, used by this callback alone meanwhile.
            let (tally, result) =
                unsafe { &mut *argument.cast::<(&mut Tally<'_>, Result<(), NoMemory>)>() };
            *result = tally.add_visited(object as usize);
            c_int::from(result.is_ok())
        }
        let capi = self.heap.capi;
        let mut visits = (self, Ok::<(), NoMemory>(()));
        // SAFETY: a walk holds the GIL, or is a copy made by a thread that did; `visit_one` only
        // reads the heap.
        unsafe { capi.visit_objects(visit_one, (&raw mut visits).cast()) };
        Ok(visits.1?)
    }

    /// The objects that a collection would look at, for the search for garbage; `None` when nobody
    /// asked for it, or their addresses are such that a set cannot hold them.
    pub(crate) fn take_objects(&mut self) -> Option<ObjectSet> {
        self.objects.take().filter(|_| !self.has_odd_addresses)
    }

    /// Takes the bytes off by which the agent made a list of the target longer.
    pub(crate) fn leave_out_own(&mut self) {
        let heap = self.heap;
        let is_list = |entry: &&mut TypeEntry| entry.address == heap.list_type;
        if let Some(entry) = self.types.entries_mut().iter_mut().find(is_list) {
            let own_bytes = heap.own.list_bytes as u64;
            entry.all.size_bytes = entry.all.size_bytes.saturating_sub(own_bytes);
        }
    }

    /// Sends a row for each type.
    pub(crate) fn send_types(&mut self, outbox: &mut Outbox) -> Result<(), NotSent> {
        let (layout, capi) = (&self.heap.layout, &self.heap.capi);
        for entry in self.types.entries() {
            let name = TypeName::of(layout, self.memory, capi, entry.address);
            let row = TypeRow {
                address: entry.address as u64,
                module: name.module(),
                qualname: name.qualname(),
                name: name.name(),
                all: entry.all,
                frozen: entry.frozen,
                is_estimate: entry.size.rule.is_estimate(),
                first_seen: entry.first_seen,
            };
            outbox.put(&Reply::Type(row), &mut self.budget)?;
        }
        Ok(())
    }

    pub(crate) fn sum(&self, of: impl Fn(&TypeEntry) -> Count) -> Count {
        let mut sum = Count {
            n_objects: 0,
            size_bytes: 0,
        };
        for entry in self.types.entries() {
            let count = of(entry);
            sum.n_objects += count.n_objects;
            sum.size_bytes = sum.size_bytes.saturating_add(count.size_bytes);
        }
        sum
    }
}

pub(crate) fn add_to(count: &mut Count, size_bytes: u64) {
    count.n_objects += 1;
    count.size_bytes = count.size_bytes.saturating_add(size_bytes);
}
