//! Where an instance keeps its attributes.

use crate::layout::{Layout, flag};
use crate::memory::Memory;

/// Values of an instance that stand without a `dict`, in the order of the keys that its type's
/// instances share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Values {
    /// Address of the first; 0 where there are none.
    first: usize,
    len: usize,
}

impl Values {
    /// The value of a key by its index; 0 where there is none.
    #[inline(always)]
    pub(crate) fn get(&self, memory: Memory, index: usize) -> usize {
        if self.first != 0 && index < self.len {
            memory.word(self.first + index * 8)
        } else {
            0
        }
    }
}

/// The values of an instance (3.11 on). From 3.13 on a `__dict__` that was asked for may share them.
#[inline(always)]
pub(crate) fn values_of(
    layout: &Layout,
    memory: Memory,
    object: usize,
    flags: usize,
    basic_size: usize,
) -> Values {
    if layout.minor < 11 || flags & flag::MANAGED_DICT == 0 {
        return Values::default();
    }
    match layout.minor {
        11 => Values {
            first: memory.word(object - 32),
            len: usize::MAX,
        },
        12 => match memory.word(object - 24) {
            tagged if tagged & 1 != 0 => Values {
                first: tagged + 1,
                len: usize::MAX,
            },
            _ => Values::default(),
        },
        _ => {
            let head = object + basic_size;
            if flags & flag::INLINE_VALUES == 0 || memory.byte(head + 3) == 0 {
                return Values::default();
            }
            Values {
                first: head + 8,
                len: memory.byte(head) as usize,
            }
        }
    }
}

/// The instance's `__dict__`, if it has been made; 0 otherwise.
#[inline(always)]
pub(crate) fn dict_of(
    layout: &Layout,
    memory: Memory,
    object: usize,
    flags: usize,
    dict_offset: isize,
) -> usize {
    if layout.minor >= 11 && flags & flag::MANAGED_DICT != 0 {
        let before = if layout.is_free_threaded { 8 } else { 24 };
        let dict = memory.word(object - before);
        return if layout.minor == 12 && dict & 1 != 0 {
            0
        } else {
            dict
        };
    }
    match dict_offset {
        offset if offset > 0 => memory.word(object + offset as usize),
        _ => 0,
    }
}
