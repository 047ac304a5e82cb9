//! An object's fields, read without running any code of the target.

use core::fmt::Write;

use leakhunt_wire::Capi;

use crate::dicts::{self, Text};
use crate::dump::ObjectText;
use crate::heap::Heap;
use crate::instances;
use crate::layout::{OBJECT_KINDS, flag};
use crate::memory::Memory;
use crate::types::TypeName;

/// The most entries of a container that are shown, and the most characters of a text.
const MOST_ENTRIES: usize = 20;
const MOST_CHARS: usize = 60;

/// Writes `<module.Type at 0x…: attribute=value, …>`, or the entries of a builtin container.
pub(crate) fn write(heap: &Heap, memory: Memory, object: usize, text: &mut ObjectText) {
    let mut writer = Fields {
        heap,
        memory,
        text,
        n_written: 0,
    };
    let plain = [Capi::PyUnicode_Type, Capi::PyLong_Type, Capi::PyFloat_Type];
    if plain
        .into_iter()
        .any(|symbol| writer.is_exactly(object, symbol))
    {
        writer.value(object);
    } else if !writer.entries(object) {
        writer.instance(object);
    }
}

struct Fields<'a> {
    heap: &'a Heap,
    memory: Memory,
    text: &'a mut ObjectText,
    n_written: usize,
}

impl Fields<'_> {
    fn is_exactly(&self, object: usize, symbol: Capi) -> bool {
        self.heap.layout.type_of(self.memory, object) == self.heap.capi.address(symbol)
    }

    fn len(&self, object: usize) -> usize {
        self.heap
            .layout
            .size_field(self.memory, object)
            .unsigned_abs()
    }

    /// The entries of a `list`, `tuple` or `dict`; `false` for anything else.
    fn entries(&mut self, object: usize) -> bool {
        let layout = &self.heap.layout;
        let (items, brackets) = if self.is_exactly(object, Capi::PyList_Type) {
            (self.memory.word(object + layout.header + 8), ('[', ']'))
        } else if self.is_exactly(object, Capi::PyTuple_Type) {
            (object + layout.tuple_items, ('(', ')'))
        } else if self.is_exactly(object, Capi::PyDict_Type) {
            self.text.push('{');
            self.dict(object, |fields, key| {
                fields.value(key);
                fields.text.push_str(": ");
            });
            self.text.push('}');
            return true;
        } else {
            return false;
        };
        self.text.push(brackets.0);
        for index in 0..self.len(object) {
            if !self.separate() {
                break;
            }
            self.value(self.memory.word(items + index * 8));
        }
        self.text.push(brackets.1);
        true
    }

    fn dict(&mut self, dict: usize, mut key_text: impl FnMut(&mut Self, usize)) {
        let (heap, memory) = (self.heap, self.memory);
        dicts::each_entry(&heap.layout, memory, dict, |key, value| {
            let goes_on = self.separate();
            if goes_on {
                key_text(self, key);
                self.value(value);
            }
            goes_on
        });
    }

    /// Writes what stands between entries; `false` after the last that is shown.
    fn separate(&mut self) -> bool {
        if self.n_written > 0 {
            self.text.push_str(", ");
        }
        self.n_written += 1;
        let goes_on = self.n_written <= MOST_ENTRIES;
        if !goes_on {
            self.text.push('…');
        }
        goes_on
    }

    fn instance(&mut self, object: usize) {
        let layout = &self.heap.layout;
        let type_object = layout.type_of(self.memory, object);
        self.text.push('<');
        self.type_name(type_object);
        let _ = write!(self.text, " at {object:#x}: ");
        self.slots(object, type_object);
        self.values(object, type_object);
        let dict = self.dict_of(object, type_object);
        if dict != 0 {
            self.dict(dict, Self::attribute);
        }
        self.text.push('>');
    }

    fn attribute(&mut self, key: usize) {
        if self.is_exactly(key, Capi::PyUnicode_Type) {
            for character in Text::of(&self.heap.layout, self.memory, key)
                .chars()
                .take(MOST_CHARS)
            {
                self.text.push(character);
            }
        } else {
            self.value(key);
        }
        self.text.push('=');
    }

    /// `__slots__` of the type and of its bases.
    fn slots(&mut self, object: usize, type_object: usize) {
        /// The length of a `PyMemberDef`.
        const MEMBER: usize = 40;
        let (heap, memory) = (self.heap, self.memory);
        let layout = &heap.layout;
        let order = layout.method_order(memory, type_object);
        for index in 0..layout.size_field(memory, order).max(0) as usize {
            let class = memory.word(order + layout.tuple_items + index * 8);
            if layout.flags(memory, class) & flag::HEAP_TYPE == 0 {
                continue;
            }
            let metaclass = layout.type_of(memory, class);
            let members = class + layout.basic_size(memory, metaclass);
            for member in 0..layout.size_field(memory, class).max(0) as usize {
                let member = members + member * MEMBER;
                if !OBJECT_KINDS.contains(&memory.half(member + 8)) {
                    continue;
                }
                let value = memory.word(object + memory.word(member + 16));
                if value != 0 {
                    if !self.separate() {
                        return;
                    }
                    self.text.push_bytes(memory.c_string(memory.word(member)));
                    self.text.push('=');
                    self.value(value);
                }
            }
        }
    }

    /// Attributes that are kept in the instance itself (3.11 on), for as long as no `__dict__` was
    /// asked for.
    fn values(&mut self, object: usize, type_object: usize) {
        let (heap, memory) = (self.heap, self.memory);
        let layout = &heap.layout;
        let flags = layout.flags(memory, type_object);
        if layout.minor < 11 || flags & flag::MANAGED_DICT == 0 {
            return;
        }
        let keys = memory.word(type_object + layout.ht_cached_keys);
        let basic_size = layout.basic_size(memory, type_object);
        let values = instances::values_of(layout, memory, object, flags, basic_size);
        // Once there is a `__dict__`, it shares these values: they are shown by it.
        let is_shared = layout.minor >= 13 && self.dict_of(object, type_object) != 0;
        if keys == 0 || is_shared {
            return;
        }
        dicts::each_shared_key(layout, memory, keys, |index, key| {
            let value = values.get(memory, index);
            if value != 0 && self.n_written <= MOST_ENTRIES && self.separate() {
                self.attribute(key);
                self.value(value);
            }
        });
    }

    /// The instance's `__dict__`, if it has been made; 0 otherwise.
    fn dict_of(&self, object: usize, type_object: usize) -> usize {
        let (layout, memory) = (&self.heap.layout, self.memory);
        let flags = layout.flags(memory, type_object);
        let dict_offset = layout.dict_offset(memory, type_object);
        instances::dict_of(layout, memory, object, flags, dict_offset)
    }

    fn type_name(&mut self, type_object: usize) {
        let (layout, capi) = (&self.heap.layout, &self.heap.capi);
        let name = TypeName::of(layout, self.memory, capi, type_object).full();
        self.text.push_str(name.as_str());
    }

    /// A value, short.
    fn value(&mut self, object: usize) {
        let capi = &self.heap.capi;
        let constants = [
            (Capi::_Py_NoneStruct, "None"),
            (Capi::_Py_TrueStruct, "True"),
            (Capi::_Py_FalseStruct, "False"),
        ];
        if object == 0 {
            self.text.push_str("<NULL>");
        } else if let Some((_, name)) = constants
            .iter()
            .find(|(symbol, _)| capi.address(*symbol) == object)
        {
            self.text.push_str(name);
        } else if self.is_exactly(object, Capi::PyUnicode_Type) {
            self.string(object);
        } else if self.is_exactly(object, Capi::PyLong_Type) {
            self.int(object);
        } else if self.is_exactly(object, Capi::PyFloat_Type) {
            let value = self.memory.float(object + self.heap.layout.header);
            let _ = write!(self.text, "{value:?}");
        } else {
            self.other(object);
        }
    }

    fn string(&mut self, object: usize) {
        let text = Text::of(&self.heap.layout, self.memory, object);
        self.text.push('\'');
        for (index, character) in text.chars().enumerate() {
            if index == MOST_CHARS {
                self.text.push('…');
                break;
            }
            for escaped in character.escape_debug() {
                self.text.push(escaped);
            }
        }
        self.text.push('\'');
    }

    fn int(&mut self, object: usize) {
        let (layout, memory) = (&self.heap.layout, self.memory);
        let size = layout.size_field(memory, object);
        let (n_digits, is_negative) = if layout.minor <= 11 {
            (size.unsigned_abs(), size < 0)
        } else {
            (size as usize >> 3, size & 3 == 2)
        };
        const DIGIT_BITS: usize = 30;
        if n_digits > 4 {
            let _ = write!(self.text, "<int of {} bits>", n_digits * DIGIT_BITS);
            return;
        }
        let magnitude = (0..n_digits).rev().fold(0_i128, |number, digit| {
            number << DIGIT_BITS | i128::from(memory.half(object + layout.header + 8 + digit * 4))
        });
        let _ = write!(
            self.text,
            "{}",
            if is_negative { -magnitude } else { magnitude }
        );
    }

    fn other(&mut self, object: usize) {
        let layout = &self.heap.layout;
        self.text.push('<');
        self.type_name(layout.type_of(self.memory, object));
        let is_sized = |symbol| self.is_exactly(object, symbol);
        if [
            Capi::PyList_Type,
            Capi::PyTuple_Type,
            Capi::PyBytes_Type,
            Capi::PyByteArray_Type,
        ]
        .into_iter()
        .any(is_sized)
        {
            let _ = write!(self.text, " of {}>", self.len(object));
        } else if is_sized(Capi::PyDict_Type) {
            let _ = write!(
                self.text,
                " of {}>",
                dicts::len(layout, self.memory, object)
            );
        } else if is_sized(Capi::PySet_Type) || is_sized(Capi::PyFrozenSet_Type) {
            let n_used = self.memory.word(object + layout.header + 8);
            let _ = write!(self.text, " of {n_used}>");
        } else {
            let _ = write!(self.text, " at {object:#x}>");
        }
    }
}
