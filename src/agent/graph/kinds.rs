//! What is to be known of a type to write its objects.

use leakhunt_wire::{Capi, LabelKind, Shape, TypeFlags};

use crate::buffer::{Buffer, NoMemory, Plain};
use crate::dicts::{self, Text};
use crate::graph::emitter::Emitter;
use crate::graph::places;
use crate::graph::states::StateRule;
use crate::heap::Heap;
use crate::layout::flag;
use crate::memory::Memory;
use crate::sizes::TypeSize;
use crate::types::Entry;

/// How the references of an object are found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// By the fields of its type that are known; it is not for the collector.
    #[default]
    Known = 0,
    List,
    Tuple,
    Dict,
    Set,
    Deque,
    /// A `dict` with a list of its keys, in which each has a reference of its own.
    OrderedDict,
    /// Of classes that are made by Python code, down to `object`.
    Instance,
    /// A type.
    Type,
    Code,
    /// A generator, a coroutine or an asynchronous generator.
    Generator,
    /// A frame object.
    Frame,
    /// An array of numpy's.
    Ndarray,
    /// By `tp_traverse`.
    Traversed,
}

/// A field that refers to an object.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) offset: u32,
    pub(crate) label: u32,
}

// SAFETY: numbers.
unsafe impl Plain for Place {}

/// One type of the graph.
#[derive(Clone, Copy)]
pub(crate) struct GraphType {
    pub(crate) address: usize,
    pub(crate) index: u32,
    pub(crate) kind: Kind,
    /// Whether objects can be the collector's.
    pub(crate) is_collected: bool,
    pub(crate) holds_type: bool,
    /// Whether its objects tell the collector of that reference.
    pub(crate) tells_type: bool,
    /// Whether it is `functools.lru_cache`, which tells the collector of more than it has itself.
    pub(crate) is_lru_cache: bool,
    /// How it is found what its objects are in the midst of.
    pub(crate) state_rule: StateRule,
    /// Whether there may be attributes beside what the kind tells.
    pub(crate) has_attributes: bool,
    pub(crate) size: TypeSize,
    pub(crate) flags: usize,
    pub(crate) basic_size: usize,
    pub(crate) item_size: usize,
    pub(crate) dict_offset: isize,
    pub(crate) traverse: usize,
    /// `tp_is_gc`.
    pub(crate) is_gc: usize,
    /// Keys that instances share; 0 where there are none.
    pub(crate) shared_keys: usize,
    pub(crate) n_shared: u32,
    /// Its fields: a range of all types' places. Those of an [`Kind::Instance`] are its slots.
    pub(crate) first_place: u32,
    pub(crate) n_places: u32,
}

// SAFETY: numbers, `bool`s that are false, a `Kind` that is `Known`, a `StateRule` that is `None` and a
// `TypeSize` that is valid, when all bytes are 0.
unsafe impl Plain for GraphType {}

impl Entry for GraphType {
    fn address(&self) -> usize {
        self.address
    }
}

impl GraphType {
    /// A type that could not be looked over for want of memory.
    pub(crate) fn unknown(address: usize, index: u32) -> Self {
        Self {
            address,
            index,
            kind: Kind::Known,
            is_collected: false,
            holds_type: false,
            tells_type: false,
            is_lru_cache: false,
            state_rule: StateRule::None,
            has_attributes: false,
            size: TypeSize::default(),
            flags: 0,
            basic_size: 0,
            item_size: 0,
            dict_offset: 0,
            traverse: 0,
            is_gc: 0,
            shared_keys: 0,
            n_shared: 0,
            first_place: 0,
            n_places: 0,
        }
    }

    /// What references without a label are.
    #[inline(always)]
    pub(crate) fn shape(&self) -> Shape {
        match self.kind {
            Kind::List | Kind::Tuple | Kind::Deque | Kind::Ndarray => Shape::Items,
            Kind::Dict | Kind::OrderedDict => Shape::Entries,
            Kind::Set => Shape::Members,
            Kind::Instance => Shape::Fields,
            Kind::Known
            | Kind::Type
            | Kind::Code
            | Kind::Generator
            | Kind::Frame
            | Kind::Traversed => Shape::Labelled,
        }
    }
}

/// The most classes of one line of bases that are looked at.
const MOST_BASES: usize = 64;
/// Types whose objects are containers, by `tp_name`: those that the C-API does not name.
const CONTAINERS: [(&[u8], Kind); 4] = [
    (b"collections.deque", Kind::Deque),
    (b"collections.defaultdict", Kind::Dict),
    (b"frozendict", Kind::Dict),
    (b"numpy.ndarray", Kind::Ndarray),
];

/// Whether a class is made by a `class` statement or `type()`: then its `tp_name` is the text of its
/// `__name__`.
pub(crate) fn is_python(heap: &Heap, memory: Memory, type_object: usize) -> bool {
    let layout = &heap.layout;
    if layout.flags(memory, type_object) & flag::HEAP_TYPE == 0 {
        return false;
    }
    let name = memory.word(type_object + layout.ht_cached_keys - 24);
    if name == 0 {
        return false;
    }
    let text = layout.type_name(memory, type_object).as_ptr() as usize;
    let (_, is_compact, is_ascii) = dicts::string_state(layout, memory, name);
    if is_compact && is_ascii {
        text == name + layout.ascii
    } else {
        text == memory.word(name + layout.ascii + 8)
    }
}

/// The first base that is made in C.
pub(crate) fn c_base(heap: &Heap, memory: Memory, type_object: usize) -> usize {
    let mut base = type_object;
    for _ in 0..MOST_BASES {
        if base == 0 || !is_python(heap, memory, base) {
            break;
        }
        base = heap.layout.base(memory, base);
    }
    base
}

fn kind_of(heap: &Heap, memory: Memory, type_object: usize, base: usize) -> Kind {
    let flags = heap.layout.flags(memory, type_object);
    let is = |symbol| heap.capi.address(symbol) == base;
    if flags & flag::TYPE != 0 {
        Kind::Type
    } else if is(Capi::PyList_Type) {
        Kind::List
    } else if is(Capi::PyTuple_Type) {
        Kind::Tuple
    } else if is(Capi::PyDict_Type) {
        Kind::Dict
    } else if is(Capi::PyODict_Type) {
        Kind::OrderedDict
    } else if is(Capi::PySet_Type) || is(Capi::PyFrozenSet_Type) {
        Kind::Set
    } else if is(Capi::PyCode_Type) {
        Kind::Code
    } else if [Capi::PyGen_Type, Capi::PyCoro_Type, Capi::PyAsyncGen_Type]
        .into_iter()
        .any(is)
    {
        Kind::Generator
    } else if is(Capi::PyFrame_Type) {
        Kind::Frame
    } else if is(Capi::PyBaseObject_Type) && type_object != base {
        Kind::Instance
    } else {
        let name = heap.layout.type_name(memory, base);
        let container = CONTAINERS.into_iter().find(|&(known, _)| known == name);
        match container {
            Some((_, kind)) => kind,
            None if flags & flag::HAVE_GC != 0 => Kind::Traversed,
            None => Kind::Known,
        }
    }
}

/// Bits of `TypeDef::flags`.
pub(crate) fn wire_flags(heap: &Heap, memory: Memory, entry: &GraphType) -> u32 {
    let own = [
        (flag::HEAP_TYPE, TypeFlags::HEAP_TYPE),
        (flag::HAVE_GC, TypeFlags::COLLECTED),
        (flag::LIST, TypeFlags::LIST),
        (flag::TUPLE, TypeFlags::TUPLE),
        (flag::DICT, TypeFlags::DICT),
        (flag::STR, TypeFlags::STR),
        (flag::TYPE, TypeFlags::TYPE),
    ]
    .into_iter()
    .filter(|&(bit, _)| entry.flags & bit != 0)
    .fold(0, |flags, (_, bit)| flags | bit);
    let estimate = match entry.size.rule.is_estimate() {
        true => TypeFlags::ESTIMATE,
        false => 0,
    };
    let python = match is_python(heap, memory, entry.address) {
        true => TypeFlags::PYTHON,
        false => 0,
    };
    own | estimate | python | shared_keys(heap, memory, entry)
}

/// How many attributes there is room for in the keys that instances share, where they keep their values
/// by themselves.
fn shared_keys(heap: &Heap, memory: Memory, entry: &GraphType) -> u32 {
    let keeps_values = heap.layout.minor < 13 || entry.flags & flag::INLINE_VALUES != 0;
    if entry.shared_keys == 0 || !keeps_values {
        return 0;
    }
    let n_keys = dicts::room(&heap.layout, memory, entry.shared_keys) as u32;
    n_keys << TypeFlags::SHARED_KEYS_SHIFT & TypeFlags::SHARED_KEYS
}

/// Looks a type over. Its fields are added to `all_places`.
pub(crate) fn look_at(
    heap: &Heap,
    memory: Memory,
    type_object: usize,
    index: u32,
    emitter: &mut Emitter<'_>,
    all_places: &mut Buffer<Place>,
) -> Result<GraphType, NoMemory> {
    let layout = &heap.layout;
    let flags = layout.flags(memory, type_object);
    let base = c_base(heap, memory, type_object);
    let kind = kind_of(heap, memory, type_object, base);
    let first_place = all_places.len();
    let dict_offset = layout.dict_offset(memory, type_object);
    // The dict of a type is no instance's `__dict__`: it is among the known fields.
    let dict_offset = if kind == Kind::Type { 0 } else { dict_offset };
    let mut finder = PlaceFinder {
        heap,
        memory,
        emitter,
        all_places,
        first_place,
        dict_offset,
    };
    finder.find(type_object)?;
    let n_places = all_places.len() - first_place;
    let shared_keys = if layout.minor >= 11 && flags & flag::MANAGED_DICT != 0 {
        memory.word(type_object + layout.ht_cached_keys)
    } else {
        0
    };
    Ok(GraphType {
        address: type_object,
        index,
        kind,
        is_collected: flags & flag::HAVE_GC != 0,
        holds_type: flags & flag::HEAP_TYPE != 0,
        // Up to 3.8 those of types that are made in C do not.
        tells_type: flags & flag::HEAP_TYPE != 0
            && (layout.minor >= 9 || is_python(heap, memory, type_object)),
        is_lru_cache: layout.type_name(memory, base) == b"functools._lru_cache_wrapper",
        state_rule: StateRule::of(heap, memory, base, kind),
        has_attributes: n_places > 0 || dict_offset != 0 || shared_keys != 0,
        size: TypeSize::of(layout, memory, &heap.capi, type_object),
        flags,
        basic_size: layout.basic_size(memory, type_object),
        item_size: layout.item_size(memory, type_object),
        dict_offset,
        traverse: layout.traverse(memory, type_object),
        is_gc: layout.is_collected(memory, type_object),
        shared_keys,
        n_shared: match shared_keys {
            0 => 0,
            keys => dicts::n_entries(layout, memory, keys) as u32,
        },
        first_place: first_place as u32,
        n_places: n_places as u32,
    })
}

/// Finds the fields of a type and of its bases.
struct PlaceFinder<'f, 'a> {
    heap: &'f Heap,
    memory: Memory,
    emitter: &'f mut Emitter<'a>,
    all_places: &'f mut Buffer<Place>,
    first_place: usize,
    /// Where `__dict__` is, which is found in another way.
    dict_offset: isize,
}

impl PlaceFinder<'_, '_> {
    /// Bases come first.
    fn find(&mut self, type_object: usize) -> Result<(), NoMemory> {
        let mut classes = [0; MOST_BASES];
        let mut n_classes = 0;
        let mut class = type_object;
        while class != 0 && n_classes < MOST_BASES {
            classes[n_classes] = class;
            n_classes += 1;
            class = self.heap.layout.base(self.memory, class);
        }
        for &class in classes[..n_classes].iter().rev() {
            self.known(class)?;
            self.members(class)?;
        }
        Ok(())
    }

    fn known(&mut self, class: usize) -> Result<(), NoMemory> {
        let layout = &self.heap.layout;
        let name = layout.type_name(self.memory, class);
        for &(offset, kind, label) in places::of(layout.minor, name) {
            if !is_python(self.heap, self.memory, class) {
                self.add(offset + layout.header - 16, kind, label)?;
            }
        }
        if class == self.heap.capi.address(Capi::PyType_Type) {
            let keys = layout.ht_cached_keys;
            for (offset, label) in [(keys - 24, &b"__name__"[..]), (keys - 8, b"__qualname__")] {
                self.add(offset, LabelKind::Attribute, label)?;
            }
            // Sorted and with full names: not what the class has as `__slots__`.
            self.add(keys - 16, LabelKind::Internal, b"slots")?;
            self.add(360 + layout.header - 16, LabelKind::Internal, b"subclasses")?;
            if layout.minor >= 9 {
                self.add(keys + 8, LabelKind::Internal, b"module")?;
            }
        }
        Ok(())
    }

    /// `tp_members`, which for classes made by Python code are its `__slots__`.
    fn members(&mut self, class: usize) -> Result<(), NoMemory> {
        let (heap, memory) = (self.heap, self.memory);
        let mut result = Ok(());
        heap.layout
            .each_object_member(memory, class, |name, offset| {
                if result.is_ok() {
                    result = self.add(offset, LabelKind::Attribute, name);
                }
            });
        result
    }

    fn add(&mut self, offset: usize, kind: LabelKind, name: &[u8]) -> Result<(), NoMemory> {
        let offset = offset as u32;
        let is_there = self.all_places[self.first_place..]
            .iter()
            .any(|place| place.offset == offset);
        let is_dict = offset as isize == self.dict_offset;
        if is_there
            || is_dict
            || offset as usize <= self.heap.layout.ob_type
            || !offset.is_multiple_of(8)
        {
            return Ok(());
        }
        let mut text = crate::graph::labels::LabelText::new();
        text.push_utf8(name);
        let budget = &mut self.emitter.budget;
        let label = self.emitter.labels.index(kind, text.as_str(), budget)?;
        self.all_places.push(Place { offset, label }, budget)
    }
}

/// Calls `see` with the names of the fields of an instance's type, in their order.
pub(crate) fn each_field<'t>(
    heap: &Heap,
    memory: Memory,
    entry: &GraphType,
    mut see: impl FnMut(Option<Text<'t>>),
) {
    let str_type = heap.capi.address(Capi::PyUnicode_Type);
    let mut n_seen = 0;
    if entry.shared_keys == 0 {
        return;
    }
    dicts::each_shared_key(&heap.layout, memory, entry.shared_keys, |index, key| {
        while n_seen < index {
            see(None);
            n_seen += 1;
        }
        let is_text = heap.layout.type_of(memory, key) == str_type;
        see(is_text.then(|| Text::of(&heap.layout, memory, key)));
        n_seen = index + 1;
    });
}
