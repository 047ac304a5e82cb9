//! The references of containers and of instances, read from their own memory.

use leakhunt_wire::{Capi, LabelKind, Names};

use crate::dicts::{self, Text};
use crate::graph::capture::Capture;
use crate::graph::edges::EdgeSink;
use crate::graph::kinds::{GraphType, Kind};
use crate::instances;

/// The most entries of a `dict` whose keys are sent with [`Names::Small`].
const SMALL: usize = 64;

impl Capture<'_> {
    /// The references of a container by their position.
    #[inline(always)]
    pub(crate) fn entries(&mut self, entry: &GraphType, object: usize) {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        match entry.kind {
            Kind::List => self.items(memory.word(object + layout.header + 8), object),
            Kind::Tuple => self.items(object + layout.tuple_items, object),
            Kind::Dict => self.dict(object),
            Kind::Set => self.set(object),
            Kind::Deque => self.deque(object),
            Kind::OrderedDict => {
                self.dict(object);
                self.order(object);
            }
            Kind::Ndarray => self.array(object),
            Kind::Known
            | Kind::Instance
            | Kind::Type
            | Kind::Code
            | Kind::Generator
            | Kind::Frame
            | Kind::Traversed => {}
        }
    }

    #[inline(always)]
    fn items(&mut self, first: usize, object: usize) {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        for index in 0..layout.size_field(memory, object).max(0) as usize {
            self.emitter.place(memory.word(first + index * 8));
        }
    }

    #[inline(always)]
    fn dict(&mut self, object: usize) {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        let values = dicts::values(layout, memory, object);
        if layout.minor >= 13 && values != 0 && memory.byte(values + 2) != 0 {
            // They are those of an instance, which has them among its fields.
            return;
        }
        if layout.minor >= 14 && self.is_table_of_interned(object) {
            return;
        }
        // A split table is that of attributes, whose names are sent whatever was asked for.
        let sends_keys = match self.names {
            _ if values != 0 => true,
            Names::Hidden => false,
            Names::Small => dicts::len(layout, memory, object) <= SMALL,
            Names::All => true,
        };
        let emitter = &mut self.emitter;
        dicts::each_entry(layout, memory, object, |key, value| {
            emitter.place(key);
            emitter.place(value);
            if sends_keys {
                emitter.marks.add_key(key);
            }
            true
        });
    }

    /// Whether a `dict` looks like the interpreter's own of all interned texts, whose references are
    /// not counted: each text stands for itself. From 3.14 on it is in the collector's lists.
    fn is_table_of_interned(&self, object: usize) -> bool {
        const FEWEST: usize = 512;
        const ENOUGH: usize = 64;
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        if dicts::len(&heap.layout, memory, object) < FEWEST {
            return false;
        }
        let str_type = heap.capi.address(Capi::PyUnicode_Type);
        let mut n_seen = 0;
        dicts::each_entry(&heap.layout, memory, object, |key, value| {
            let is_itself = key == value && heap.layout.type_of(memory, key) == str_type;
            n_seen += usize::from(is_itself);
            is_itself && n_seen < ENOUGH
        });
        n_seen == ENOUGH
    }

    #[inline(always)]
    fn set(&mut self, object: usize) {
        const ENTRY: usize = 16;
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        let used = memory.word(object + layout.header + 8);
        let mask = memory.word(object + layout.header + 16);
        let table = memory.word(object + layout.header + 24);
        // That of a removed entry, which no key has.
        const REMOVED: usize = usize::MAX;
        let mut n_seen = 0;
        for index in 0..=mask {
            if n_seen == used {
                break;
            }
            let key = memory.word(table + index * ENTRY);
            let hash = memory.word(table + index * ENTRY + 8);
            if key != 0 && hash != REMOVED {
                self.emitter.place(key);
                n_seen += 1;
            }
        }
    }

    /// The list of keys of an `OrderedDict`.
    fn order(&mut self, object: usize) {
        const NEXT: usize = 16;
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        let Some(label) = self.emitter.label(LabelKind::Internal, "order") else {
            return;
        };
        let mut node = memory.word(object + layout.header + 32);
        for _ in 0..dicts::len(layout, memory, object) {
            if node == 0 {
                break;
            }
            self.emitter.labelled(label, memory.word(node));
            node = memory.word(node + NEXT);
        }
    }

    fn deque(&mut self, object: usize) {
        const BLOCK_ITEMS: usize = 64;
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        let field = |index: usize| memory.word(object + layout.header + index * 8);
        let (len, mut block, mut index) = (field(0), field(1), field(3));
        // A block is the link before, the items, and the link after.
        for _ in 0..len {
            if block == 0 {
                break;
            }
            self.emitter.place(memory.word(block + 8 + index * 8));
            index += 1;
            if index == BLOCK_ITEMS {
                index = 0;
                block = memory.word(block + 8 + BLOCK_ITEMS * 8);
            }
        }
    }

    /// The fields of an instance by their position, and its `__dict__`.
    #[inline(always)]
    pub(crate) fn instance(&mut self, entry: &GraphType, object: usize) {
        let memory = self.walk.memory;
        for index in 0..entry.n_places as usize {
            let offset = self.places(entry)[index].offset as usize;
            self.emitter.place(memory.word(object + offset));
        }
        if entry.n_shared > 0 {
            let values = self.values(entry, object);
            for index in 0..entry.n_shared as usize {
                self.emitter.place(values.get(memory, index));
            }
        }
        self.dict_attribute(entry, object);
    }

    #[inline(always)]
    fn dict_attribute(&mut self, entry: &GraphType, object: usize) {
        let dict = self.dict_of(entry, object);
        if dict != 0 {
            self.emitter.named(LabelKind::Attribute, b"__dict__", dict);
            self.names_attributes(dict);
        }
    }

    /// The `__dict__` of an object; 0 where there is none.
    #[inline(always)]
    pub(crate) fn dict_of(&self, entry: &GraphType, object: usize) -> usize {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        let offset = match entry.dict_offset {
            // Up to 3.11, where the size varies: counted from the end.
            offset if offset < 0 && layout.minor <= 11 => {
                let n_items = layout.size_field(memory, object).unsigned_abs();
                let size = entry.basic_size + n_items * entry.item_size;
                size.next_multiple_of(8) as isize + offset
            }
            offset => offset,
        };
        instances::dict_of(layout, memory, object, entry.flags, offset)
    }

    /// Sends the names of the attributes that a `__dict__` holds, where those of its like are not.
    pub(crate) fn names_attributes(&mut self, dict: usize) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let layout = &heap.layout;
        let is_large = dicts::len(layout, memory, dict) > SMALL;
        let is_sent = match self.names {
            Names::Hidden => false,
            Names::Small => !is_large,
            Names::All => true,
        };
        if is_sent
            || layout.flags(memory, layout.type_of(memory, dict)) & crate::layout::flag::DICT == 0
        {
            return;
        }
        let emitter = &mut self.emitter;
        dicts::each_entry(layout, memory, dict, |key, _| {
            if emitter.reach(key) {
                emitter.marks.add_key(key);
            }
            true
        });
    }

    /// Attributes by their labels: known fields, `__dict__`, and the values that stand for it.
    pub(crate) fn attributes(&mut self, entry: &GraphType, object: usize) {
        let memory = self.walk.memory;
        let end = self.end_of_fields(entry, object);
        for index in 0..entry.n_places as usize {
            let place = self.places(entry)[index];
            if place.offset as usize + 8 <= end {
                let value = memory.word(object + place.offset as usize);
                self.emitter.labelled(place.label, value);
            }
        }
        self.dict_attribute(entry, object);
        self.each_value(entry, object, |capture, label, value| {
            capture.emitter.labelled(label, value);
        });
    }

    /// Calls `see` with the label of each value that an instance keeps by itself.
    pub(crate) fn each_value(
        &mut self,
        entry: &GraphType,
        object: usize,
        mut see: impl FnMut(&mut Self, u32, usize),
    ) {
        if entry.n_shared == 0 {
            return;
        }
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let str_type = heap.capi.address(Capi::PyUnicode_Type);
        let values = self.values(entry, object);
        dicts::each_shared_key(&heap.layout, memory, entry.shared_keys, |index, key| {
            let value = values.get(memory, index);
            if value == 0 || heap.layout.type_of(memory, key) != str_type {
                return;
            }
            let mut text = crate::graph::labels::LabelText::new();
            text.push_name(Text::of(&heap.layout, memory, key));
            if let Some(label) = self.emitter.label(LabelKind::Attribute, text.as_str()) {
                see(self, label, value);
            }
        });
    }
}
