//! What a code object refers to. The collector does not know: code objects are not its own.

use leakhunt_wire::{Capi, LabelKind};

use crate::dicts::Text;
use crate::graph::edges::EdgeSink;
use crate::heap::Heap;
use crate::memory::Memory;

/// Names of what a code object keeps once it was asked for, in the order of `_PyCoCached` (3.12 on).
const CACHED: [&[u8]; 4] = [b"co_code", b"co_varnames", b"co_cellvars", b"co_freevars"];

/// Hands on each object that `code` holds a reference to.
pub(crate) fn references(heap: &Heap, memory: Memory, code: usize, sink: &mut dyn EdgeSink) {
    let layout = &heap.layout;
    let code_type = heap.capi.address(Capi::PyCode_Type);
    layout.each_object_member(memory, code_type, |name, offset| {
        let target = memory.word(code + offset);
        if target != 0 {
            sink.named(LabelKind::Attribute, name, target);
        }
    });
    if layout.minor <= 10 {
        return;
    }
    let hidden: [(&[u8], usize); 2] = [
        (b"co_localsplusnames", layout.co_localsplusnames),
        (b"co_localspluskinds", layout.co_localsplusnames + 8),
    ];
    for (name, offset) in hidden {
        let target = memory.word(code + offset);
        if target != 0 {
            sink.named(LabelKind::Internal, name, target);
        }
    }
    let cached = memory.word(code + layout.co_cached);
    if cached == 0 {
        return;
    }
    // 3.11 keeps the code alone, in place.
    if layout.minor == 11 {
        return sink.named(LabelKind::Attribute, CACHED[0], cached);
    }
    for (index, name) in CACHED.into_iter().enumerate() {
        let target = memory.word(cached + index * 8);
        if target != 0 {
            sink.named(LabelKind::Attribute, name, target);
        }
    }
}

/// The qualified name of a function by its code; up to 3.10 its name.
pub(crate) fn qualified_name<'h>(heap: &'h Heap, memory: Memory, code: usize) -> Option<Text<'h>> {
    let layout = &heap.layout;
    let code_type = heap.capi.address(Capi::PyCode_Type);
    let offset = [&b"co_qualname"[..], b"co_name"]
        .into_iter()
        .find_map(|name| layout.member(memory, code_type, name))?;
    let name = memory.word(code + offset);
    let is_text =
        name != 0 && layout.type_of(memory, name) == heap.capi.address(Capi::PyUnicode_Type);
    is_text.then(|| Text::of(layout, memory, name))
}

/// Hands on the `str` objects that say what a function and the variables of its closure are called.
pub(crate) fn each_name(heap: &Heap, memory: Memory, code: usize, see: &mut dyn FnMut(usize)) {
    let layout = &heap.layout;
    let code_type = heap.capi.address(Capi::PyCode_Type);
    let str_type = heap.capi.address(Capi::PyUnicode_Type);
    let mut see_text = |name: usize| {
        if name != 0 && layout.type_of(memory, name) == str_type {
            see(name);
        }
    };
    for name in [&b"co_qualname"[..], b"co_name"] {
        if let Some(offset) = layout.member(memory, code_type, name) {
            see_text(memory.word(code + offset));
        }
    }
    let names = LocalNames::of(heap, memory, code);
    if layout.minor <= 10 {
        let [.., free] = names.tuples;
        for index in 0..len_of(heap, memory, free) {
            see_text(memory.word(free + layout.tuple_items + index * 8));
        }
        return;
    }
    /// `CO_FAST_FREE`.
    const FREE: u8 = 0x80;
    let kinds = memory.word(code + layout.co_localsplusnames + 8);
    if kinds == 0 || layout.type_of(memory, kinds) != heap.capi.address(Capi::PyBytes_Type) {
        return;
    }
    // After the length and the hash.
    let first = kinds + layout.header + 16;
    let n_kinds = layout.size_field(memory, kinds).max(0) as usize;
    let n_names = names.len(heap, memory).min(n_kinds);
    for index in (0..n_names).filter(|index| memory.byte(first + index) & FREE != 0) {
        see_text(memory.word(names.tuples[0] + layout.tuple_items + index * 8));
    }
}

/// Which of a function's parameters that can be given by position have a default; `None` where none has.
pub(crate) fn positional_with_defaults(
    heap: &Heap,
    memory: Memory,
    function: usize,
) -> Option<core::ops::Range<usize>> {
    let layout = &heap.layout;
    let (code, defaults) = function_fields(heap, memory, function);
    if defaults == 0 || layout.type_of(memory, defaults) != heap.capi.address(Capi::PyTuple_Type) {
        return None;
    }
    let n_positional = number(heap, memory, code, b"co_argcount")?;
    let first = n_positional.checked_sub(len_of(heap, memory, defaults))?;
    Some(first..n_positional)
}

/// Hands on the `str` objects that are the names of those.
pub(crate) fn each_name_with_default(
    heap: &Heap,
    memory: Memory,
    function: usize,
    see: &mut dyn FnMut(usize),
) {
    let (code, _) = function_fields(heap, memory, function);
    let [names, ..] = LocalNames::of(heap, memory, code).tuples;
    let with_default = positional_with_defaults(heap, memory, function);
    for index in with_default.into_iter().flatten() {
        if index < len_of(heap, memory, names) {
            see(memory.word(names + heap.layout.tuple_items + index * 8));
        }
    }
}

/// `__code__` and `__defaults__`.
fn function_fields(heap: &Heap, memory: Memory, function: usize) -> (usize, usize) {
    let (code, defaults) = match heap.layout.minor {
        ..=9 => (0, 16),
        _ => (32, 40),
    };
    let fields = function + heap.layout.header;
    (memory.word(fields + code), memory.word(fields + defaults))
}

/// A number that code objects show under a name.
pub(crate) fn number(heap: &Heap, memory: Memory, code: usize, name: &[u8]) -> Option<usize> {
    let offset = heap
        .layout
        .member(memory, heap.capi.address(Capi::PyCode_Type), name)?;
    Some(memory.half(code + offset) as usize)
}

/// The names of a code object's local variables, in the order of their places in a frame.
pub(crate) struct LocalNames {
    /// Up to three tuples, one after the other; 0 for none.
    tuples: [usize; 3],
}

impl LocalNames {
    pub(crate) fn of(heap: &Heap, memory: Memory, code: usize) -> Self {
        let layout = &heap.layout;
        let tuple_type = heap.capi.address(Capi::PyTuple_Type);
        let tuple = |offset: usize| {
            let tuple = memory.word(code + offset);
            let is_one = tuple != 0 && layout.type_of(memory, tuple) == tuple_type;
            if is_one { tuple } else { 0 }
        };
        if layout.minor >= 11 {
            let tuples = [tuple(layout.co_localsplusnames), 0, 0];
            return Self { tuples };
        }
        let code_type = heap.capi.address(Capi::PyCode_Type);
        let names: [&[u8]; 3] = [b"co_varnames", b"co_cellvars", b"co_freevars"];
        let tuples = names.map(|name| layout.member(memory, code_type, name).map_or(0, tuple));
        Self { tuples }
    }

    /// How many there are.
    pub(crate) fn len(&self, heap: &Heap, memory: Memory) -> usize {
        let len = |&tuple: &usize| len_of(heap, memory, tuple);
        self.tuples.iter().map(len).sum()
    }

    /// The name at a place.
    pub(crate) fn get<'h>(&self, heap: &'h Heap, memory: Memory, place: usize) -> Option<Text<'h>> {
        let layout = &heap.layout;
        let mut index = place;
        for tuple in self.tuples {
            let len = len_of(heap, memory, tuple);
            if index < len {
                let name = memory.word(tuple + layout.tuple_items + index * 8);
                let str_type = heap.capi.address(Capi::PyUnicode_Type);
                let is_text = layout.type_of(memory, name) == str_type;
                return is_text.then(|| Text::of(layout, memory, name));
            }
            index -= len;
        }
        None
    }
}

fn len_of(heap: &Heap, memory: Memory, tuple: usize) -> usize {
    if tuple == 0 {
        return 0;
    }
    heap.layout.size_field(memory, tuple).max(0) as usize
}
