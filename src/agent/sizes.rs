//! What `sys.getsizeof` would say, computed from the layout of each builtin type: no code of the
//! target runs.

use leakhunt_wire::Capi;

use crate::arrays::{Ndarray, arrow_bytes};
use crate::capi::CApi;
use crate::dicts::{self, string_state};
use crate::layout::{Layout, flag};
use crate::memory::Memory;

/// Which `__sizeof__` a type has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum SizeRule {
    /// `object.__sizeof__`: `basicsize + itemsize·n`.
    #[default]
    Plain = 0,
    /// One that is not known here: counted as `Plain`, which is an estimate.
    Unknown,
    List,
    Dict,
    Set,
    Type,
    Int,
    Str,
    ByteArray,
    OrderedDict,
    Deque,
    Array,
    BytesIo,
    Frame,
    Generator,
    Combinations,
    Permutations,
    Product,
    Code,
    Ndarray,
    ArrowArray,
}

impl SizeRule {
    /// Whether what it tells may be off: what is missing, or shared with others, is not known.
    pub(crate) fn is_estimate(self) -> bool {
        matches!(self, Self::Unknown | Self::ArrowArray)
    }
}

/// Types whose `__sizeof__` is known here, and that the C-API names.
const BY_ADDRESS: [(Capi, SizeRule); 14] = [
    (Capi::PyBaseObject_Type, SizeRule::Plain),
    (Capi::PyList_Type, SizeRule::List),
    (Capi::PyDict_Type, SizeRule::Dict),
    (Capi::PySet_Type, SizeRule::Set),
    (Capi::PyFrozenSet_Type, SizeRule::Set),
    (Capi::PyType_Type, SizeRule::Type),
    (Capi::PyLong_Type, SizeRule::Int),
    (Capi::PyUnicode_Type, SizeRule::Str),
    (Capi::PyByteArray_Type, SizeRule::ByteArray),
    (Capi::PyODict_Type, SizeRule::OrderedDict),
    (Capi::PyFrame_Type, SizeRule::Frame),
    (Capi::PyGen_Type, SizeRule::Generator),
    (Capi::PyCoro_Type, SizeRule::Generator),
    (Capi::PyAsyncGen_Type, SizeRule::Generator),
];

/// Those that it does not name, by `tp_name`. Nothing made in Python has such a name.
const BY_NAME: [(&[u8], SizeRule); 11] = [
    (b"code", SizeRule::Code),
    (b"frozendict", SizeRule::Dict),
    (b"collections.deque", SizeRule::Deque),
    (b"array.array", SizeRule::Array),
    (b"_io.BytesIO", SizeRule::BytesIo),
    (b"itertools.combinations", SizeRule::Combinations),
    (
        b"itertools.combinations_with_replacement",
        SizeRule::Combinations,
    ),
    (b"itertools.permutations", SizeRule::Permutations),
    (b"itertools.product", SizeRule::Product),
    (b"numpy.ndarray", SizeRule::Ndarray),
    (b"pyarrow.lib.Array", SizeRule::ArrowArray),
];

/// What is needed to size the objects of one type.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TypeSize {
    pub(crate) rule: SizeRule,
    /// `tp_itemsize`: an object has `ob_size` items of it.
    item_size: u32,
    /// `tp_basicsize`.
    basic_size: usize,
    /// What stands before the object.
    before: usize,
}

impl TypeSize {
    pub(crate) fn of(layout: &Layout, memory: Memory, capi: &CApi, type_object: usize) -> Self {
        Self {
            rule: rule_of(layout, memory, capi, type_object),
            item_size: layout.item_size(memory, type_object) as u32,
            basic_size: layout.basic_size(memory, type_object),
            before: layout.size_before(layout.flags(memory, type_object)),
        }
    }

    /// Size in bytes of one object of the type.
    #[inline]
    pub(crate) fn of_object(&self, layout: &Layout, memory: Memory, object: usize) -> usize {
        let body = match self.rule {
            SizeRule::Plain | SizeRule::Unknown => {
                let mut size = self.basic_size;
                if self.item_size != 0 {
                    let n_items = layout.size_field(memory, object).unsigned_abs();
                    size = size.saturating_add(n_items.saturating_mul(self.item_size as usize));
                }
                size
            }
            SizeRule::List => self.basic_size + memory.word(object + layout.header + 16) * 8,
            SizeRule::Dict => self.basic_size + dicts::size_beside(layout, memory, object),
            SizeRule::Set => self.basic_size + set_beside(layout, memory, object),
            rule => self.rare(rule, layout, memory, object),
        };
        body.saturating_add(self.before)
    }

    #[cold]
    fn rare(&self, rule: SizeRule, layout: &Layout, memory: Memory, object: usize) -> usize {
        let field = |index: usize| memory.word(object + layout.header + index * 8);
        let tuple_len = |tuple: usize| match tuple {
            0 => 0,
            tuple => layout.size_field(memory, tuple).unsigned_abs(),
        };
        match rule {
            SizeRule::Type => type_size(layout, memory, object),
            SizeRule::Int => layout.header + 8 + int_digits(layout, memory, object) * 4,
            SizeRule::Str => str_size(layout, memory, object),
            SizeRule::ByteArray => {
                // From 3.15 on the bytes are those of a `bytes` object, which is counted too.
                let is_object = layout.minor >= 15 && field(1) > 0;
                let head = if is_object { layout.header + 17 } else { 0 };
                self.basic_size + field(1) + head
            }
            SizeRule::OrderedDict => {
                const NODE: usize = 32;
                // After the fields of `dict`: first and last node, array of nodes and its length.
                let nodes = if field(4) == 0 {
                    0
                } else {
                    dicts::len(layout, memory, object)
                };
                let beside = dicts::size_beside(layout, memory, object);
                self.basic_size + beside + field(7) * 8 + nodes * NODE
            }
            SizeRule::Deque => {
                const BLOCK_ITEMS: usize = 64;
                let n_blocks = (field(3) + field(0)).div_ceil(BLOCK_ITEMS);
                self.basic_size + n_blocks * (BLOCK_ITEMS + 2) * 8
            }
            SizeRule::Array => self.basic_size + field(2) * memory.half(field(3) + 4) as usize,
            SizeRule::BytesIo => {
                let buffer = field(0);
                // A shared buffer is counted with whoever else has it.
                let is_own = buffer != 0 && layout.reference_count(memory, buffer) == Some(1);
                let own = if is_own {
                    memory.word(buffer + layout.header) + layout.header + 17
                } else {
                    0
                };
                self.basic_size + own
            }
            // Their first field is the tuple that they draw from; arrays of indices come beside.
            SizeRule::Combinations => self.basic_size + field(3) * 8,
            SizeRule::Permutations => self.basic_size + (tuple_len(field(0)) + field(4)) * 8,
            SizeRule::Product => self.basic_size + tuple_len(field(0)) * 8,
            SizeRule::Ndarray => {
                let beside = Ndarray::of(layout, memory, object).bytes_beside();
                self.basic_size.saturating_add(beside)
            }
            SizeRule::ArrowArray => {
                let beside = arrow_bytes(layout, memory, object);
                self.basic_size.saturating_add(beside)
            }
            SizeRule::Code => {
                let n_items = layout.size_field(memory, object).unsigned_abs();
                (self.basic_size + n_items * self.item_size as usize).next_multiple_of(8)
            }
            SizeRule::Frame => self.basic_size + frame_slots(layout, memory, object) * 8,
            SizeRule::Generator => {
                let frame = object + layout.generator_frame;
                layout.generator_frame + layout.frame_head + code_slots(layout, memory, frame) * 8
            }
            SizeRule::Plain
            | SizeRule::Unknown
            | SizeRule::List
            | SizeRule::Dict
            | SizeRule::Set => self.basic_size,
        }
    }
}

/// The first class in the method resolution order that says how large it is.
fn rule_of(layout: &Layout, memory: Memory, capi: &CApi, type_object: usize) -> SizeRule {
    let order = layout.method_order(memory, type_object);
    if order == 0 {
        return SizeRule::Unknown;
    }
    let str_type = capi.address(Capi::PyUnicode_Type);
    for index in 0..layout.size_field(memory, order).max(0) as usize {
        let class = memory.word(order + layout.tuple_items + index * 8);
        if let Some(rule) = known_rule(layout, memory, capi, class) {
            return as_of_version(rule, layout);
        }
        let dict = layout.type_dict(memory, class);
        if dict != 0 && dicts::get(layout, memory, dict, str_type, b"__sizeof__") != 0 {
            return SizeRule::Unknown;
        }
    }
    SizeRule::Plain
}

fn known_rule(layout: &Layout, memory: Memory, capi: &CApi, class: usize) -> Option<SizeRule> {
    let is_class = |symbol| capi.address(symbol) == class;
    if let Some((_, rule)) = BY_ADDRESS.into_iter().find(|&(symbol, _)| is_class(symbol)) {
        return Some(rule);
    }
    let flags = layout.flags(memory, class);
    // What is made in C is no heap type, or from 3.10 on an immutable one.
    let is_made_in_c = flags & flag::HEAP_TYPE == 0 || flags & flag::IMMUTABLE_TYPE != 0;
    let name = layout.type_name(memory, class);
    BY_NAME
        .into_iter()
        .find(|&(known, _)| is_made_in_c && known == name)
        .map(|(_, rule)| rule)
}

fn as_of_version(rule: SizeRule, layout: &Layout) -> SizeRule {
    match rule {
        // Up to 3.10 a generator's frame is an object of its own.
        SizeRule::Generator if layout.minor <= 10 => SizeRule::Plain,
        // With caches that only its interpreter knows.
        SizeRule::Code if layout.minor <= 10 => SizeRule::Unknown,
        rule => rule,
    }
}

fn set_beside(layout: &Layout, memory: Memory, set: usize) -> usize {
    let after_header = set + layout.header;
    let (mask, table) = (
        memory.word(after_header + 16),
        memory.word(after_header + 24),
    );
    let small_table = after_header + 48;
    if table == small_table {
        0
    } else {
        (mask + 1) * 16
    }
}

fn type_size(layout: &Layout, memory: Memory, type_object: usize) -> usize {
    if layout.flags(memory, type_object) & flag::HEAP_TYPE == 0 {
        return layout.type_object;
    }
    let keys = memory.word(type_object + layout.ht_cached_keys);
    let keys_size = if keys == 0 {
        0
    } else {
        dicts::keys_size(layout, memory, keys)
    };
    layout.heap_type_object + keys_size
}

fn int_digits(layout: &Layout, memory: Memory, int: usize) -> usize {
    let size = layout.size_field(memory, int);
    match layout.minor {
        ..=10 => size.unsigned_abs(),
        11 => size.unsigned_abs().max(1),
        _ => (size as usize >> 3).max(1),
    }
}

fn str_size(layout: &Layout, memory: Memory, text: usize) -> usize {
    let len = memory.word(text + layout.header);
    let (width, is_compact, is_ascii) = string_state(layout, memory, text);
    if is_compact && is_ascii {
        return layout.ascii + len + 1;
    }
    let data = if is_compact {
        0
    } else {
        memory.word(text + layout.compact)
    };
    let characters = match (is_compact, data) {
        (true, _) => layout.compact + (len + 1) * width,
        (false, 0) => layout.compact + 8,
        (false, _) => layout.compact + 8 + (len + 1) * width,
    };
    // The length of the UTF-8 form and then its address; it may be the characters themselves.
    let utf8 = memory.word(text + layout.ascii + 8);
    let own_utf8 = utf8 != 0 && utf8 != data && !(is_compact && is_ascii);
    characters
        + if own_utf8 {
            memory.word(text + layout.ascii) + 1
        } else {
            0
        }
}

/// Locals and stack of a frame object's frame.
fn frame_slots(layout: &Layout, memory: Memory, frame_object: usize) -> usize {
    if layout.minor >= 11 {
        return code_slots(
            layout,
            memory,
            memory.word(frame_object + layout.header + 8),
        );
    }
    let code = memory.word(frame_object + 32);
    let cells = |at: usize| match memory.word(code + at) {
        0 => 0,
        tuple => layout.size_field(memory, tuple) as usize,
    };
    let n_slots = memory.half(code + layout.co_stacksize) as usize
        + memory.half(code + layout.co_nlocals) as usize
        + cells(80)
        + cells(88);
    // `basicsize` has room for one.
    n_slots.saturating_sub(1)
}

/// Locals and stack of an interpreter frame's code; 0 when the frame has none any more.
fn code_slots(layout: &Layout, memory: Memory, frame: usize) -> usize {
    // From 3.14 on the lowest bits of a reference in a frame are marks.
    let code = memory.word(frame + layout.frame_code) & !3;
    if code == 0 {
        return 0;
    }
    (memory.half(code + layout.co_stacksize) + memory.half(code + layout.co_nlocals)) as usize
}
