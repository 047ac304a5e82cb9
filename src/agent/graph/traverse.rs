//! The references of objects of all other types: what `tp_traverse` tells, by the names of the fields
//! where they are found again.

use core::ffi::{c_int, c_void};

use leakhunt_wire::{Capi, LabelKind};

use crate::capi::{Object, Traverse};
use crate::graph::capture::Capture;
use crate::graph::edges::EdgeSink;
use crate::graph::emitter::Emitter;
use crate::graph::kinds::{GraphType, Kind};
use crate::heap::Heap;
use crate::layout::{Layout, flag};
use crate::lists::as_object;
use crate::memory::Memory;

/// The most fields of an object whose names are looked for.
const MOST_FIELDS: usize = 96;

/// What is referred to by fields with names.
struct Fields {
    /// Target and label; a target of 0 is told.
    fields: [(usize, u32); MOST_FIELDS],
    len: usize,
}

impl Fields {
    fn new() -> Self {
        Self {
            fields: [(0, 0); MOST_FIELDS],
            len: 0,
        }
    }

    fn push(&mut self, label: u32, target: usize) {
        if target != 0
            && let Some(place) = self.fields.get_mut(self.len)
        {
            *place = (target, label);
            self.len += 1;
        }
    }

    fn take(&mut self, target: usize) -> Option<u32> {
        let field = self.fields[..self.len]
            .iter_mut()
            .find(|(own, _)| *own == target)?;
        field.0 = 0;
        Some(field.1)
    }
}

/// What the callback works on.
struct Visits<'v, 'a> {
    emitter: &'v mut Emitter<'a>,
    fields: Fields,
    /// The type, whose first visit is the reference that every instance has; 0 where it is not told.
    type_object: usize,
    is_lru_cache: bool,
    heap: &'v Heap,
    memory: Memory,
}

impl Visits<'_, '_> {
    /// Whether this is the type of an `lru_cache`'s entries: they refer to it, not the cache.
    #[cold]
    fn is_type_of_entries(&self, target: usize) -> bool {
        let (layout, memory) = (&self.heap.layout, self.memory);
        is_class(layout, memory, target)
            && layout.type_name(memory, target) == b"functools._lru_list_elem"
    }
}

impl Capture<'_> {
    /// Whether `tp_is_gc` says that an object is the collector's.
    pub(crate) fn says_collected(&self, entry: &GraphType, object: usize) -> bool {
        if entry.address == self.walk.skipped_type {
            return false;
        }
        self.walk.progress.enter(object, entry.address);
        // SAFETY: the address is the type's `tp_is_gc`, and `object` is an object of that type.
        let is_collected = unsafe {
            let function: unsafe extern "C" fn(Object) -> c_int = core::mem::transmute(entry.is_gc);
            function(as_object(object)) != 0
        };
        self.walk.progress.leave();
        is_collected
    }

    /// How far the fields of an object go.
    pub(crate) fn end_of_fields(&self, entry: &GraphType, object: usize) -> usize {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        if entry.kind == Kind::Type {
            let is_heap_type = layout.flags(memory, object) & flag::HEAP_TYPE != 0;
            return if is_heap_type {
                entry.basic_size
            } else {
                layout.type_object
            };
        }
        let items = if entry.item_size == 0 {
            0
        } else {
            layout.size_field(memory, object).unsigned_abs() * entry.item_size
        };
        entry.basic_size.saturating_add(items)
    }

    /// The `__dict__` of a type that is not made in dynamic memory: from 3.12 on the interpreter has it,
    /// not the type.
    fn static_type_dict(&mut self, class: usize, fields: &mut Fields) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        if heap.layout.type_dict(memory, class) != 0 || !heap.capi.has(Capi::PyType_GetDict) {
            return;
        }
        // SAFETY: whoever reads the heap is inside, or is a copy of a thread that was; the reference
        // is given back at once, and the interpreter keeps its own.
        let dict = unsafe {
            let dict = heap.capi.type_dict(as_object(class));
            if !dict.is_null() {
                heap.capi.decref(dict);
            }
            dict as usize
        };
        if dict != 0
            && let Some(label) = self.emitter.label(LabelKind::Attribute, "__dict__")
        {
            fields.push(label, dict);
            self.names_attributes(dict);
        }
    }

    /// The references of an object that is neither a container nor an instance.
    pub(crate) fn traversed(&mut self, entry: &GraphType, object: usize, is_collected: bool) {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        let mut fields = Fields::new();
        let end = self.end_of_fields(entry, object);
        // A type that is not made in dynamic memory has no reference of its own to its base.
        let borrowed = if entry.kind == Kind::Type && !is_collected {
            layout.base_offset()
        } else {
            0
        };
        for place in self.places(entry) {
            if place.offset as usize + 8 <= end && place.offset as usize != borrowed {
                fields.push(place.label, memory.word(object + place.offset as usize));
            }
        }
        let dict = self.dict_of(entry, object);
        if dict != 0
            && let Some(label) = self.emitter.label(LabelKind::Attribute, "__dict__")
        {
            fields.push(label, dict);
            self.names_attributes(dict);
        }
        if entry.kind == Kind::Type && !is_collected {
            self.static_type_dict(object, &mut fields);
        }
        self.each_value(entry, object, |_, label, value| fields.push(label, value));
        let mut visits = Visits {
            emitter: &mut self.emitter,
            fields,
            type_object: if entry.tells_type { entry.address } else { 0 },
            is_lru_cache: entry.is_lru_cache,
            heap: self.walk.heap,
            memory,
        };
        let tells_collector =
            is_collected && entry.traverse != 0 && entry.address != self.walk.skipped_type;
        if tells_collector {
            self.walk.progress.enter(object, entry.address);
            // SAFETY: the address is the type's `tp_traverse`, and `object` is an object of that type
            // with a collector's header. It calls `visit_one` alone, which changes nothing of the heap.
            unsafe {
                let traverse: Traverse = core::mem::transmute(entry.traverse);
                traverse(as_object(object), visit_one, (&raw mut visits).cast());
            }
            self.walk.progress.leave();
        }
        if self.walk.is_careful && entry.kind != Kind::Type {
            return;
        }
        // What types do not tell the collector of, because it can be part of no cycle.
        let borrows = (tells_collector || entry.traverse == 0) && entry.kind != Kind::Type;
        for index in 0..visits.fields.len {
            let (target, label) = visits.fields.fields[index];
            // A class always is part of a cycle: one that the collector is not told of is borrowed, as the
            // exceptions of a `sqlite3.Connection` are. Before 3.10 that type tells it of nothing at all.
            if borrows && target != 0 && is_class(layout, memory, target) {
                continue;
            }
            visits.emitter.labelled(label, target);
        }
    }
}

fn is_class(layout: &Layout, memory: Memory, object: usize) -> bool {
    layout.flags(memory, layout.type_of(memory, object)) & flag::TYPE != 0
}

unsafe extern "C" fn visit_one(object: Object, argument: *mut c_void) -> c_int {
    // SAFETY: `argument` is the `Visits` of `traversed`, used here alone meanwhile.
    let visits = unsafe { &mut *argument.cast::<Visits<'_, '_>>() };
    let target = object as usize;
    if target == visits.type_object {
        visits.type_object = 0;
        return 0;
    }
    if visits.is_lru_cache && visits.is_type_of_entries(target) {
        return 0;
    }
    match visits.fields.take(target) {
        Some(label) => visits.emitter.labelled(label, target),
        // Modules tell the collector of their free lists, too: what is there is no object any more.
        None if visits.heap.layout.reference_count(visits.memory, target) == Some(0) => {}
        None => visits.emitter.unnamed(target),
    }
    c_int::from(visits.emitter.is_full())
}
