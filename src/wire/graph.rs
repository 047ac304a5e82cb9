//! The graph of a heap as a stream of blocks: what [`GraphBlock`](crate::GraphBlock) packets hold.
//!
//! A block is a whole number of records and stands for itself: differences of addresses start afresh
//! in each. An object with more references than a block has room for goes on in a
//! [`Record::More`]. All addresses are multiples of 8.
//!
//! The order of a stream: places in the collector's lists ([`Record::Order`]), roots, objects. A
//! type, a label or a text comes before, or in any block after, the objects that name it: a reader
//! goes over the stream twice. A state comes right after its object, unless a block ends between.
//! [`Record::End`] is the last.

mod reader;
mod writer;

use crate::codec::{code, record};

pub use reader::GraphReader;
pub use writer::{GraphWriter, NoRoom};

/// The most bytes of a block before it is compressed. LZ4 makes no more of it than fits a packet.
pub const MAX_BLOCK: usize = 31 * 1024;

/// The most bytes of one text: a name, or a key of a small `dict`.
pub const MAX_TEXT: usize = 256;
/// The most characters of a key that are sent.
pub const MAX_KEY_CHARS: usize = 64;

code! {
    /// What the references of an object stand for that come without a label.
    pub enum Shape {
        /// There are none.
        Labelled = 0,
        /// The items of a sequence, in its order; the position is the index.
        Items = 1,
        /// The members of a set, in the order of iteration.
        Members = 2,
        /// The keys and values of a `dict` in turn, in the order of iteration.
        Entries = 3,
        /// The fields that the type's [`FieldDef`]s name, in their order; 0 where a field is unset.
        Fields = 4,
        /// As [`Shape::Entries`], of a `dict` that shares its keys with others of its kind: they are not
        /// counted for each of them.
        SharedEntries = 5,
    }
}

code! {
    /// How a label is to be read.
    pub enum LabelKind {
        /// An attribute: `owner.text`.
        Attribute = 0,
        /// A local variable of a frame, a generator or a coroutine.
        Local = 1,
        /// Nothing that Python code can name: text tells a person.
        Internal = 2,
    }
}

code! {
    /// What keeps a root alive.
    pub enum RootKind {
        /// `sys.modules`.
        Modules = 0,
        /// The `dict` of the module `builtins`.
        Builtins = 1,
        /// A frame that runs, or waits for one that it called. It is a record of its own, of a type
        /// with [`TypeFlags::FRAME`]; `number` is the thread's native id, `text` the function's
        /// qualified name.
        Frame = 2,
        /// What the interpreter itself refers to; `text` is the field.
        Interpreter = 3,
        /// What a thread's state refers to; `number` is the thread's native id, `text` the field.
        Thread = 4,
    }
}

/// Bits of [`TypeDef::flags`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TypeFlags;

impl TypeFlags {
    /// Its objects are made in dynamic memory and refer to it.
    pub const HEAP_TYPE: u32 = 1;
    /// Its objects have a collector's header.
    pub const COLLECTED: u32 = 2;
    /// The sizes of its objects are estimates.
    pub const ESTIMATE: u32 = 4;
    /// No type: its "objects" are running frames.
    pub const FRAME: u32 = 8;
    /// A class made by a `class` statement or by `type()`, not in C.
    pub const PYTHON: u32 = 16;
    /// Subclasses of these builtins, or the builtins themselves.
    pub const LIST: u32 = 1 << 8;
    /// See [`Self::LIST`].
    pub const TUPLE: u32 = 1 << 9;
    /// See [`Self::LIST`].
    pub const DICT: u32 = 1 << 10;
    /// See [`Self::LIST`].
    pub const STR: u32 = 1 << 11;
    /// See [`Self::LIST`].
    pub const TYPE: u32 = 1 << 12;
    /// A number in six bits: how many attributes there is room for in the keys that the objects share
    /// which keep their attributes in themselves until they are asked for their `__dict__`: the used
    /// and the usable entries of `ht_cached_keys`. 0 for types whose objects do not: before Python
    /// 3.11, without `Py_TPFLAGS_MANAGED_DICT`, on 3.11 and 3.12 where a base other than `object` was
    /// made in C, and from 3.13 on without `Py_TPFLAGS_INLINE_VALUES`.
    pub const SHARED_KEYS: u32 = 0x3f << Self::SHARED_KEYS_SHIFT;
    /// The lowest bit of [`Self::SHARED_KEYS`].
    pub const SHARED_KEYS_SHIFT: u32 = 16;
}

record! {
    /// A type. Its objects refer to it by `index`.
    pub struct TypeDef<'p> {
        /// Counted from 0 in the order of appearance.
        pub index: u32,
        /// Where the type object is.
        pub address: u64,
        /// `__module__`; empty for the builtins.
        pub module: &'p str,
        /// `__qualname__`.
        pub qualname: &'p str,
        /// `__name__`.
        pub name: &'p str,
        /// See [`TypeFlags`].
        pub flags: u32,
        /// `__basicsize__`.
        pub basic_size: u64,
        /// The address of its first base that is no Python class, for what `dict` subclasses and such
        /// are made of; 0 for none.
        pub base: u64,
    }
}

record! {
    /// The next field of a type, for [`Shape::Fields`]: slots, then the attributes whose keys instances
    /// share.
    pub struct FieldDef<'p> {
        /// [`TypeDef::index`] of the type.
        pub type_index: u32,
        /// The name.
        pub text: &'p str,
    }
}

record! {
    /// A label. References refer to it by `index`.
    pub struct LabelDef<'p> {
        /// Counted from 0 in the order of appearance.
        pub index: u32,
        /// How to read it.
        pub kind: LabelKind,
        /// The name.
        pub text: &'p str,
    }
}

record! {
    /// The characters of a `str` object that is a key.
    pub struct KeyText<'p> {
        /// The `str`.
        pub address: u64,
        /// Its characters, or the first of them.
        pub text: &'p str,
        /// Whether there are more.
        pub is_cut: bool,
    }
}

code! {
    /// What an object is in the midst of, which no reference tells.
    pub enum StateKind {
        /// A generator, coroutine or asynchronous generator that was never started.
        Created = 0,
        /// One that waits in a `yield` or an `await`, in the line `number`.
        Suspended = 1,
        /// One whose frame is a thread's.
        Running = 2,
        /// One that ended, by itself or by `close()`; a Task or Future with a result or an exception.
        Finished = 3,
        /// A Task or Future without a result.
        Pending = 4,
        /// A Task or Future that was cancelled.
        Cancelled = 5,
        /// A file or socket with a descriptor.
        Open = 6,
        /// A file or socket without one.
        Closed = 7,
        /// A container that throws out an entry before it holds more than `number`.
        Bounded = 8,
        /// A function with default arguments: `number` of its parameters can be given by position, the
        /// last of which have them.
        Defaults = 9,
    }
}

record! {
    /// The state of the object that came last. Of kinds of objects whose state is not known, of
    /// containers that have no bound and of functions without defaults nothing is sent.
    pub struct StateDef {
        /// The object.
        pub address: u64,
        /// What it is.
        pub kind: StateKind,
        /// See [`StateKind`]; 0 where there is none, or it is not known.
        pub number: u64,
    }
}

record! {
    /// What keeps objects alive.
    pub struct RootDef<'p> {
        /// What it is.
        pub kind: RootKind,
        /// The object that it refers to, or the frame.
        pub address: u64,
        /// See [`RootKind`].
        pub number: u64,
        /// See [`RootKind`].
        pub text: &'p str,
    }
}

record! {
    /// The head of a run of objects in the order of a collector's list. Their addresses follow.
    pub struct OrderHead {
        /// 0 the young generation to 2 the old one, 3 the frozen objects.
        pub list: u32,
        /// Whether the run goes against the order of the list, from its end.
        pub from_end: bool,
        /// How many.
        pub n_objects: u32,
    }
}

/// The head of an object: its references follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Node {
    /// Where it is.
    pub address: u64,
    /// [`TypeDef::index`] of its type.
    pub type_index: u32,
    /// Its size as `sys.getsizeof`.
    pub size_bytes: u64,
    /// Its reference count; `None` for what is never freed, or counted in a way that says nothing.
    pub reference_count: Option<u64>,
    /// Whether the collector tracks it.
    pub is_tracked: bool,
    /// Whether it refers to its type, as the instances of heap types do. That reference is not among
    /// those that follow.
    pub holds_type: bool,
    /// What references without a label are.
    pub shape: Shape,
}

/// More references of an object. They follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct More {
    /// The object.
    pub address: u64,
    /// The position of the next reference that comes without a label.
    pub position: u64,
}

/// One reference of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Edge {
    /// What it refers to; 0 for a field that is unset.
    pub target: u64,
    /// What for.
    pub name: EdgeName,
}

/// What a reference is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EdgeName {
    /// The place among the references without a label; [`Node::shape`] tells what it means.
    Position(u64),
    /// [`LabelDef::index`] of its label.
    Label(u32),
    /// Not known.
    None,
}

record! {
    /// How the collector is set. At most one, before the last record.
    pub struct CollectorDef {
        /// Whether it runs by itself: 1, or 0 after `gc.disable()`.
        pub enabled: Option<u64>,
        /// Bits of `gc.get_debug()`.
        pub debug: Option<u64>,
        /// Whether the three fields that follow are known; else they are 0.
        pub has_generations: bool,
        /// `gc.get_threshold()`, the young generation's first.
        pub thresholds: [u64; 3],
        /// `gc.get_count()`.
        pub counts: [u64; 3],
        /// Collections of each generation since the start of the interpreter.
        pub collections: [u64; 3],
        /// Objects in `gc.garbage`.
        pub n_uncollectable: Option<u64>,
        /// Objects that lived through the last full collection.
        pub long_lived: Option<u64>,
        /// Objects that came into the old generation since: more than a quarter of `long_lived` are
        /// needed for another full collection.
        pub long_lived_pending: Option<u64>,
    }
}

record! {
    /// The last record: what a reader should have seen.
    pub struct GraphEnd {
        /// Objects and frames.
        pub n_nodes: u64,
        /// References, those to types included.
        pub n_edges: u64,
        /// Objects in the lists.
        pub n_tracked: u64,
        /// How long the walk of the lists took.
        pub walk_us: u64,
        /// How long a bare walk of the lists took; 0 where it was not asked for.
        pub bare_walk_us: u64,
        /// How long all of it took, the compression included.
        pub capture_us: u64,
        /// Memory that it took for itself.
        pub own_bytes: u64,
        /// Whether a collection was under way, whose objects may be missing.
        pub is_during_collection: bool,
        /// Collections of the old generation since the start of the interpreter; 0 where not known.
        pub n_full_collections: u64,
    }
}

/// One record of a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Record<'p> {
    /// See [`TypeDef`].
    Type(TypeDef<'p>),
    /// See [`FieldDef`].
    Field(FieldDef<'p>),
    /// See [`LabelDef`].
    Label(LabelDef<'p>),
    /// See [`KeyText`].
    Key(KeyText<'p>),
    /// See [`RootDef`].
    Root(RootDef<'p>),
    /// See [`OrderHead`]; [`GraphReader::place`] reads the addresses.
    Order(OrderHead),
    /// See [`Node`]; [`GraphReader::edge`] reads the references.
    Node(Node),
    /// See [`More`]; [`GraphReader::edge`] reads the references.
    More(More),
    /// See [`GraphEnd`].
    End(GraphEnd),
    /// See [`CollectorDef`].
    Collector(CollectorDef),
    /// See [`StateDef`].
    State(StateDef),
}

/// First bytes of records. A node's has the highest bit set.
mod kind {
    pub(super) const TYPE: u8 = 1;
    pub(super) const FIELD: u8 = 2;
    pub(super) const LABEL: u8 = 3;
    pub(super) const KEY: u8 = 4;
    pub(super) const ROOT: u8 = 5;
    pub(super) const ORDER: u8 = 6;
    pub(super) const MORE: u8 = 7;
    pub(super) const END: u8 = 8;
    pub(super) const COLLECTOR: u8 = 10;
    pub(super) const STATE: u8 = 9;
    pub(super) const NODE: u8 = 0x80;
}

/// Bits of a node's first byte beside its shape.
mod node_bit {
    pub(super) const TRACKED: u8 = 0x40;
    pub(super) const HOLDS_TYPE: u8 = 0x20;
    pub(super) const HAS_EDGES: u8 = 0x10;
    pub(super) const SHAPE: u8 = 0x0f;
}

/// How an edge begins: an end, a label to follow, or neither and then the target's code.
const LAST_EDGE: u64 = 0;
const LABELLED_EDGE: u64 = 1;
const UNNAMED_EDGE: u64 = 2;
const UNSET_EDGE: u64 = 3;
const FIRST_TARGET: u64 = 4;

#[cfg(test)]
mod tests;
