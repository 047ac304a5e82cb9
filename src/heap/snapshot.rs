//! The whole heap at one moment, as columns.
//!
//! An object is its index [`ObjId`] in [`Objects`], which ascends by address. Memory: 36 bytes an
//! object and 8 a reference, beside names.

use std::collections::HashMap;

use crate::collector::CollectorState;
use leakhunt_wire::MAX_KEY_CHARS;

/// Stands for the rest of a key of more than [`MAX_KEY_CHARS`].
pub(crate) const CUT: char = '…';

/// An object, by its place in [`Objects`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ObjId(pub u32);

/// A type, by its place in [`Snapshot::types`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TypeId(pub u32);

/// A text, by its place in [`Strings`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StrId(pub u32);

/// The heap at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Where, when and how it was taken.
    pub capture: Capture,
    /// One row an object.
    pub objects: Objects,
    /// What each object refers to.
    pub references: References,
    /// All types of objects.
    pub types: Vec<Type>,
    /// Names.
    pub strings: Strings,
    /// What keeps objects alive from outside of the heap, in the order of discovery.
    pub roots: Vec<Root>,
    /// The characters of `str` objects that are keys, as far as they were sent. Ascending by object.
    pub key_texts: Vec<(ObjId, StrId)>,
    /// What some objects are in the midst of, which no reference tells. Ascending by object. Absent
    /// are the kinds of objects that have no state, whose state could not be found in this version of
    /// Python, and containers without a bound.
    pub states: Vec<(ObjId, ObjectState)>,
}

/// Where, when and how a snapshot was taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capture {
    /// Version of leakhunt.
    pub leakhunt: String,
    /// The first word of `sys.version`.
    pub python: String,
    /// Whether the interpreter ran without the GIL: there is no order of birth then.
    pub free_threaded: bool,
    /// The target.
    pub pid: u32,
    /// Its command line, words joined by blanks, cut.
    pub command: String,
    /// When it was taken, in microseconds since 1970.
    pub taken_at_us: u64,
    /// How long the target's interpreter stood still.
    pub pause_us: u64,
    /// How long the walk took.
    pub walk_us: u64,
    /// Resident memory of the target; 0 where it is not known.
    pub rss_bytes: u64,
    /// Which names were sent: `hidden`, `small` or `all`.
    pub names: String,
    /// Whether a collection was under way, whose objects may be missing.
    pub is_during_collection: bool,
    /// The type whose objects' references are missing, because their code crashed; else empty.
    pub skipped_type: String,
    /// Full collections since the start of the interpreter.
    pub n_full_collections: u64,
    /// How the collector was set.
    pub collector: CollectorState,
    /// Where in the order of birth the old, the middle and the young generation start; the frozen
    /// objects come before.
    pub generation_starts: [u32; 3],
    /// References to something that is not among the objects; they are left out.
    pub n_dangling: u64,
    /// Objects with more references to them than their reference count: 0 unless the walk misread
    /// something.
    pub n_violations: u64,
}

/// Columns of objects, ascending by address. All have the same length.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Where each is; `id()`. Ascending, no two the same.
    pub address: Vec<u64>,
    /// The type of each.
    pub type_id: Vec<TypeId>,
    /// `sys.getsizeof` of each, or an estimate ([`Type::is_estimate`]). 0 for running frames, which
    /// are no objects.
    pub size_bytes: Vec<u64>,
    /// The reference count of each, cut to `u32::MAX - 1`; [`Objects::NEVER_FREED`].
    pub reference_count: Vec<u32>,
    /// The place of each in the order of birth as the collector's lists keep it: frozen objects
    /// first, then from the old generation to the young. [`Objects::UNTRACKED`] for what the
    /// collector does not track; all of them on free-threaded builds.
    pub birth_place: Vec<u32>,
}

/// What each object refers to, object after object.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// `n_objects + 1` offsets into the other columns, ascending, the first 0.
    pub first: Vec<u64>,
    /// What is referred to.
    pub target: Vec<ObjId>,
    /// What for.
    pub label: Vec<Label>,
}

/// What a reference is for, in 32 bits: four of kind and 28 of number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Label(u32);

/// A [`Label`], unpacked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum LabelName {
    /// Not known.
    None,
    /// From an instance to its class.
    Type,
    /// An attribute or a slot, as `owner.name`.
    Attribute(StrId),
    /// A local variable of a frame, a generator or a coroutine.
    Local(StrId),
    /// Nothing that Python code can name; the text is for people.
    Internal(StrId),
    /// An item of a sequence, by its index.
    Item(u32),
    /// A member of a set, by its place in the order of iteration.
    Member(u32),
    /// A key of a `dict`, by its place in the order of iteration.
    Key(u32),
    /// A value of a `dict`, by its place. The reference before it is the one to its key.
    Value(u32),
}

/// A type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Type {
    /// Where the type object is.
    pub address: u64,
    /// `__module__`; empty for the builtins.
    pub module: String,
    /// `__qualname__`.
    pub qualname: String,
    /// `__name__`.
    pub name: String,
    /// Bits of `leakhunt_wire::TypeFlags`.
    pub flags: u32,
    /// `__basicsize__`.
    pub basic_size: u64,
    /// Address of its first base that was not made by Python code; 0 for none.
    pub base: u64,
}

/// What keeps an object alive from outside of the heap.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// The object, or the frame.
    pub object: ObjId,
    /// The thread's native id; 0 where there is none.
    pub thread: u64,
    /// The function of a frame, or the field of the interpreter's or thread's state.
    pub text: String,
}

/// What a root is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RootKind {
    /// `sys.modules`.
    Modules,
    /// The `dict` of the module `builtins`.
    Builtins,
    /// A frame that runs or waits for one that it called.
    Frame,
    /// A field of the interpreter's state.
    Interpreter,
    /// A field of a thread's state.
    Thread,
}

/// What an object is in the midst of.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ObjectState {
    /// A generator, coroutine or asynchronous generator that was never started.
    Created,
    /// One that waits in a `yield` or an `await`, in this line; 0 where it is not known.
    Suspended(u32),
    /// One whose frame is a thread's.
    Running,
    /// One that ended, by itself or by `close()`; a Task or Future with a result or an exception.
    Finished,
    /// A Task or Future without a result.
    Pending,
    /// A Task or Future that was cancelled.
    Cancelled,
    /// A file or socket with a descriptor.
    Open,
    /// A file or socket without one.
    Closed,
    /// A container that throws out an entry before it holds more than so many: a `deque` with
    /// `maxlen`, a `functools.lru_cache` with `maxsize`.
    Bounded(u64),
    /// A function with default arguments: so many of its parameters can be given by position, the last
    /// of which have them.
    Defaults(u32),
}

/// Texts, each once.
#[derive(Clone, Debug, Default)]
pub struct Strings {
    texts: Vec<Box<str>>,
    ids: HashMap<Box<str>, StrId>,
}

impl Objects {
    /// Of [`Objects::reference_count`]: never freed, or counted in a way that says nothing.
    pub const NEVER_FREED: u32 = u32::MAX;
    /// Of [`Objects::birth_place`]: not tracked by the collector.
    pub const UNTRACKED: u32 = u32::MAX;

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.address.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.address.is_empty()
    }

    /// The object at an address.
    pub fn at(&self, address: u64) -> Option<ObjId> {
        let index = self.address.binary_search(&address).ok()?;
        Some(ObjId(u32::try_from(index).ok()?))
    }
}

impl Snapshot {
    /// Number of objects, running frames included.
    pub fn n_objects(&self) -> usize {
        self.objects.len()
    }

    /// All objects.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = ObjId> + use<> {
        (0..u32::try_from(self.n_objects()).unwrap_or(u32::MAX)).map(ObjId)
    }

    /// The type of an object.
    pub fn type_of(&self, object: ObjId) -> &Type {
        &self.types[self.objects.type_id[object.0 as usize].0 as usize]
    }

    /// What an object refers to, in order.
    pub fn references_of(&self, object: ObjId) -> impl Iterator<Item = (Label, ObjId)> + '_ {
        let (first, end) = (
            self.references.first[object.0 as usize] as usize,
            self.references.first[object.0 as usize + 1] as usize,
        );
        self.references.label[first..end]
            .iter()
            .copied()
            .zip(self.references.target[first..end].iter().copied())
    }

    /// The state of an object, where it is known.
    pub fn state_of(&self, object: ObjId) -> Option<ObjectState> {
        let index = self
            .states
            .binary_search_by_key(&object, |&(of, _)| of)
            .ok()?;
        Some(self.states[index].1)
    }

    /// The characters of a `str` that is a key, where all were sent: what its entry is found by.
    pub fn key_text(&self, object: ObjId) -> Option<&str> {
        self.key_start(object)
            .filter(|text| !text.ends_with(CUT) || text.chars().count() <= MAX_KEY_CHARS)
    }

    /// The characters of a `str` that is a key, where they were sent: of a long one the first 64,
    /// and `…`.
    pub fn key_start(&self, object: ObjId) -> Option<&str> {
        Some(self.strings.get(self.key_start_id(object)?))
    }

    /// The id of [`Snapshot::key_start`].
    pub(crate) fn key_start_id(&self, object: ObjId) -> Option<StrId> {
        let index = self
            .key_texts
            .binary_search_by_key(&object, |&(key, _)| key)
            .ok()?;
        Some(self.key_texts[index].1)
    }
}

impl Root {
    /// Whether it is the table of interned strings. All strings can be there, which tells nothing.
    pub(crate) fn is_interned(&self) -> bool {
        self.kind == RootKind::Interpreter && self.text.contains("interned")
    }
}

impl Type {
    /// Whether the sizes of its objects are estimates.
    pub fn is_estimate(&self) -> bool {
        self.flags & leakhunt_wire::TypeFlags::ESTIMATE != 0
    }

    /// Whether this is no type: its "objects" are running frames.
    pub fn is_frame(&self) -> bool {
        self.flags & leakhunt_wire::TypeFlags::FRAME != 0
    }

    /// How many attributes there is room for in the keys that instances share which have not made
    /// their `__dict__` yet; 0 where they make it at once or have none.
    pub fn n_shared_keys(&self) -> u32 {
        use leakhunt_wire::TypeFlags;
        (self.flags & TypeFlags::SHARED_KEYS) >> TypeFlags::SHARED_KEYS_SHIFT
    }

    /// `module.qualname`; the builtins without a module.
    pub fn key(&self) -> String {
        crate::look::type_key(&self.module, &self.qualname)
    }
}

impl Label {
    const NUMBER_BITS: u32 = 28;
    /// Larger numbers are cut to this.
    pub const MAX_NUMBER: u32 = (1 << Self::NUMBER_BITS) - 1;

    /// Packs a label.
    pub fn new(name: LabelName) -> Self {
        let (kind, number) = match name {
            LabelName::None => (0, 0),
            LabelName::Type => (1, 0),
            LabelName::Attribute(text) => (2, text.0),
            LabelName::Local(text) => (3, text.0),
            LabelName::Internal(text) => (4, text.0),
            LabelName::Item(place) => (5, place),
            LabelName::Member(place) => (6, place),
            LabelName::Key(place) => (7, place),
            LabelName::Value(place) => (8, place),
        };
        Self(kind << Self::NUMBER_BITS | number.min(Self::MAX_NUMBER))
    }

    /// Unpacks it.
    pub fn name(self) -> LabelName {
        let number = self.0 & Self::MAX_NUMBER;
        match self.0 >> Self::NUMBER_BITS {
            1 => LabelName::Type,
            2 => LabelName::Attribute(StrId(number)),
            3 => LabelName::Local(StrId(number)),
            4 => LabelName::Internal(StrId(number)),
            5 => LabelName::Item(number),
            6 => LabelName::Member(number),
            7 => LabelName::Key(number),
            8 => LabelName::Value(number),
            _ => LabelName::None,
        }
    }
}

impl Strings {
    /// The id of a text, which is added if it is not there yet.
    pub fn add(&mut self, text: &str) -> StrId {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = StrId(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }

    /// A text.
    pub fn get(&self, id: StrId) -> &str {
        &self.texts[id.0 as usize]
    }

    /// The id of a text, if it is there.
    pub fn find(&self, text: &str) -> Option<StrId> {
        self.ids.get(text).copied()
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}
