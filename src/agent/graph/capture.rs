//! One object after the other: what it is, and what it refers to.

use leakhunt_wire::{FieldDef, KeyText, MAX_KEY_CHARS, Names, Node, Shape, TypeDef};

use crate::buffer::{Budget, Buffer, NoMemory};
use crate::dicts::{self, Text};
use crate::graph::emitter::Emitter;
use crate::graph::kinds::{self, GraphType, Kind, Place};
use crate::graph::labels::LabelText;
use crate::graph::states::StateRule;
use crate::graph::{code, frames, generators};
use crate::instances::Values;
use crate::layout::flag;
use crate::lists::GC_HEADER;
use crate::memory::prefetch;
use crate::tally::{Walk, WalkError};
use crate::text::TextBuffer;
use crate::types::{TypeName, TypeTable};

/// Objects that are looked at together, so that their memory is loaded at once.
pub(crate) const BATCH: usize = 64;

/// Some objects.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    objects: [usize; BATCH],
    /// The index of each one's type, once it was found.
    types: [u32; BATCH],
    pub(crate) len: usize,
}

impl Batch {
    pub(crate) const EMPTY: Self = Self {
        objects: [0; BATCH],
        types: [0; BATCH],
        len: 0,
    };

    /// Adds an object; whether the batch is full now.
    #[inline(always)]
    pub(crate) fn push(&mut self, object: usize) -> bool {
        self.objects[self.len] = object;
        self.len += 1;
        self.len == BATCH
    }

    pub(crate) fn objects(&self) -> &[usize] {
        &self.objects[..self.len]
    }
}

/// A graph while it is captured.
pub(crate) struct Capture<'a> {
    pub(crate) walk: &'a Walk<'a>,
    pub(crate) names: Names,
    pub(crate) emitter: Emitter<'a>,
    types: TypeTable<GraphType>,
    places: Buffer<Place>,
    /// For `types` alone, which grows while the emitter is in use.
    type_budget: Budget,
    pub(crate) n_tracked: u64,
}

impl<'a> Capture<'a> {
    pub(crate) fn new(
        walk: &'a Walk<'a>,
        names: Names,
        mut emitter: Emitter<'a>,
    ) -> Result<Self, NoMemory> {
        Ok(Self {
            walk,
            names,
            types: TypeTable::new(&mut emitter.budget)?,
            places: Buffer::new(),
            type_budget: Budget::new(u64::MAX),
            emitter,
            n_tracked: 0,
        })
    }

    /// Finds the types of some objects, and has what they point to loaded.
    pub(crate) fn look_ahead(&mut self, batch: &mut Batch) -> Result<(), WalkError> {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        for place in 0..batch.len {
            let object = batch.objects[place];
            let index = self.type_index(layout.type_of(memory, object))?;
            batch.types[place] = index;
            let entry = &self.types.entries()[index as usize];
            match entry.kind {
                Kind::List => prefetch(memory.word(object + layout.header + 8)),
                Kind::Dict | Kind::OrderedDict => {
                    let keys = memory.word(object + layout.header + 16);
                    prefetch(keys);
                    prefetch(keys + 64);
                }
                Kind::Instance if layout.minor == 11 && entry.shared_keys != 0 => {
                    prefetch(memory.word(object - 32));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes some objects whose types were found.
    pub(crate) fn objects(&mut self, batch: &Batch) -> Result<(), WalkError> {
        for (&object, &index) in batch.objects().iter().zip(&batch.types) {
            self.object(object, index);
        }
        self.emitter.stream.result
    }

    #[inline(always)]
    fn object(&mut self, object: usize, type_index: u32) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let layout = &heap.layout;
        let entry = self.types.entries()[type_index as usize];
        let is_collected = entry.is_collected && self.is_collected(&entry, object);
        let is_tracked = is_collected
            && if layout.is_free_threaded {
                const TRACKED: u8 = 1;
                memory.byte(object + 11) & TRACKED != 0
            } else {
                memory.word(object - GC_HEADER) != 0
            };
        let mut size_bytes = entry.size.of_object(layout, memory, object);
        // `sys.getsizeof` of 3.11 and 3.12 goes by the type alone.
        let counts_header = is_collected || matches!(layout.minor, 11 | 12);
        if entry.is_collected && !counts_header && !layout.is_free_threaded {
            size_bytes = size_bytes.saturating_sub(GC_HEADER);
        }
        self.emitter.begin(&Node {
            address: object as u64,
            type_index,
            size_bytes: size_bytes as u64,
            reference_count: layout.reference_count(memory, object),
            is_tracked,
            holds_type: entry.holds_type,
            shape: self.shape_of(&entry, object),
        });
        match entry.kind {
            Kind::Known if !entry.has_attributes => {}
            Kind::Instance => self.instance(&entry, object),
            Kind::Known | Kind::Type | Kind::Traversed => {
                self.traversed(&entry, object, is_collected);
            }
            Kind::Code => {
                code::references(heap, memory, object, &mut self.emitter);
                code::each_name(heap, memory, object, &mut |name| self.add_name(name));
            }
            Kind::Generator => generators::references(heap, memory, object, &mut self.emitter),
            Kind::Frame => frames::object_references(heap, memory, object, &mut self.emitter),
            Kind::List
            | Kind::Tuple
            | Kind::Dict
            | Kind::Set
            | Kind::Deque
            | Kind::OrderedDict
            | Kind::Ndarray => {
                self.entries(&entry, object);
                if entry.has_attributes {
                    self.attributes(&entry, object);
                }
            }
        }
        self.emitter.end();
        if entry.state_rule != StateRule::None {
            self.state(entry.state_rule, object);
        }
    }

    /// Notes a `str` whose characters are sent.
    fn add_name(&mut self, name: usize) {
        if self.emitter.reach(name) {
            self.emitter.marks.add_key(name);
        }
    }

    #[cold]
    fn state(&mut self, rule: StateRule, object: usize) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        if let Some(state) = rule.state(heap, memory, object) {
            if rule == StateRule::Function {
                code::each_name_with_default(heap, memory, object, &mut |name| self.add_name(name));
            }
            let Emitter { stream, budget, .. } = &mut self.emitter;
            stream.write(budget, |writer| writer.state(&state));
        }
    }

    #[inline(always)]
    fn shape_of(&self, entry: &GraphType, object: usize) -> Shape {
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        match entry.kind {
            Kind::Dict if dicts::values(layout, memory, object) != 0 => Shape::SharedEntries,
            _ => entry.shape(),
        }
    }

    /// Whether an object of a collected type is itself the collector's: types that are not made in
    /// dynamic memory are not.
    #[inline(always)]
    fn is_collected(&self, entry: &GraphType, object: usize) -> bool {
        if entry.kind == Kind::Type {
            let flags = self.walk.heap.layout.flags(self.walk.memory, object);
            return flags & flag::HEAP_TYPE != 0;
        }
        entry.is_gc == 0 || self.says_collected(entry, object)
    }

    /// The fields of a type.
    #[inline(always)]
    pub(crate) fn places(&self, entry: &GraphType) -> &[Place] {
        &self.places[entry.first_place as usize..][..entry.n_places as usize]
    }

    /// The values that an instance keeps by itself.
    #[inline(always)]
    pub(crate) fn values(&self, entry: &GraphType, object: usize) -> Values {
        if entry.shared_keys == 0 {
            return Values::default();
        }
        let (layout, memory) = (&self.walk.heap.layout, self.walk.memory);
        crate::instances::values_of(layout, memory, object, entry.flags, entry.basic_size)
    }

    /// The index that the next type gets.
    pub(crate) fn next_type(&self) -> u32 {
        self.types.entries().len() as u32
    }

    /// Adds what is no type of the heap's. Answers its index.
    pub(crate) fn add_type(&mut self, entry: GraphType) -> Result<u32, NoMemory> {
        let address = entry.address;
        let entry = self.types.entry(address, &mut self.type_budget, || entry)?;
        Ok(entry.index)
    }

    #[inline(always)]
    fn type_index(&mut self, type_object: usize) -> Result<u32, NoMemory> {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let next = self.next_type();
        let (emitter, places) = (&mut self.emitter, &mut self.places);
        let mut result = Ok(());
        let entry =
            self.types
                .entry(type_object, &mut self.type_budget, || match kinds::look_at(
                    heap,
                    memory,
                    type_object,
                    next,
                    emitter,
                    places,
                ) {
                    Ok(entry) => entry,
                    Err(error) => {
                        result = Err(error);
                        GraphType::unknown(type_object, next)
                    }
                })?;
        let index = entry.index;
        result?;
        if index == next {
            self.send_type(index);
        }
        Ok(index)
    }

    #[cold]
    fn send_type(&mut self, index: u32) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let entry = self.types.entries()[index as usize];
        let name = TypeName::of(&heap.layout, memory, &heap.capi, entry.address);
        let definition = TypeDef {
            index,
            address: entry.address as u64,
            module: name.module(),
            qualname: name.qualname(),
            name: name.name(),
            flags: kinds::wire_flags(heap, memory, &entry),
            basic_size: entry.basic_size as u64,
            base: kinds::c_base(heap, memory, entry.address) as u64,
        };
        let Emitter { stream, budget, .. } = &mut self.emitter;
        stream.write(budget, |writer| writer.type_def(&definition));
        self.emitter.reach(entry.address);
        if entry.kind == Kind::Instance {
            self.send_fields(&entry);
        }
    }

    fn send_fields(&mut self, entry: &GraphType) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let type_index = entry.index;
        let Emitter {
            stream,
            budget,
            labels,
            ..
        } = &mut self.emitter;
        let mut send = |text: &str| {
            let field = FieldDef { type_index, text };
            stream.write(budget, |writer| writer.field(&field));
        };
        for place in &self.places[entry.first_place as usize..][..entry.n_places as usize] {
            send(labels.text_of(place.label));
        }
        kinds::each_field(heap, memory, entry, |name| {
            let mut text = LabelText::new();
            if let Some(name) = name {
                text.push_name(name);
            }
            send(text.as_str());
        });
    }

    /// Writes the texts of some keys.
    pub(crate) fn keys(&mut self, batch: &[usize]) -> Result<(), WalkError> {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let Emitter { stream, budget, .. } = &mut self.emitter;
        for &key in batch {
            let type_object = heap.layout.type_of(memory, key);
            if heap.layout.flags(memory, type_object) & flag::STR == 0 {
                continue;
            }
            let mut text = TextBuffer::<{ leakhunt_wire::MAX_TEXT }>::new();
            let mut characters = Text::of(&heap.layout, memory, key).chars();
            for character in characters.by_ref().take(MAX_KEY_CHARS) {
                text.push(character);
            }
            let record = KeyText {
                address: key as u64,
                text: text.as_str(),
                is_cut: characters.next().is_some(),
            };
            stream.write(budget, |writer| writer.key(&record));
        }
        stream.result
    }
}
