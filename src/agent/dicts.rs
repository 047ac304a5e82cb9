//! Reading `dict` and `str` objects without calling the interpreter.

use crate::layout::Layout;
use crate::memory::Memory;

/// Length of the head of a `PyDictKeysObject`.
fn keys_head(layout: &Layout) -> usize {
    if layout.minor <= 10 { 40 } else { 32 }
}

/// The table of a `dict`: where its entries are.
struct Table {
    entries: usize,
    n_entries: usize,
    entry_size: usize,
    /// Offset of the key in an entry; the value follows it.
    key: usize,
}

impl Table {
    fn of(layout: &Layout, memory: Memory, keys: usize) -> Self {
        let index_bytes = index_bytes(layout, memory, keys);
        let is_general = layout.minor <= 10 || memory.byte(keys + 10) == 0;
        Self {
            entries: keys + keys_head(layout) + index_bytes,
            n_entries: memory.word(keys + if layout.minor <= 10 { 32 } else { 24 }),
            entry_size: if is_general { 24 } else { 16 },
            key: if is_general { 8 } else { 0 },
        }
    }
}

fn index_bytes(layout: &Layout, memory: Memory, keys: usize) -> usize {
    if layout.minor > 10 {
        return 1 << memory.byte(keys + 9);
    }
    let size = memory.word(keys + 8);
    size * match size {
        ..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 8,
    }
}

/// Bytes of a keys object, as `sys.getsizeof` counts them.
pub(crate) fn keys_size(layout: &Layout, memory: Memory, keys: usize) -> usize {
    let size = if layout.minor <= 10 {
        memory.word(keys + 8)
    } else {
        1 << memory.byte(keys + 8)
    };
    let usable = size * 2 / 3;
    let table = Table::of(layout, memory, keys);
    keys_head(layout) + index_bytes(layout, memory, keys) + usable * table.entry_size
}

/// Bytes of a `dict` beside its object: keys that it does not share, and the values of a split one.
pub(crate) fn size_beside(layout: &Layout, memory: Memory, dict: usize) -> usize {
    let keys = memory.word(dict + layout.header + 16);
    let values = memory.word(dict + layout.header + 24);
    let mut size = 0;
    if values != 0 {
        size += room(layout, memory, keys) * 8;
    }
    if memory.word(keys) == 1 {
        size += keys_size(layout, memory, keys);
    }
    size
}

/// How many entries there is room for in a keys object.
pub(crate) fn room(layout: &Layout, memory: Memory, keys: usize) -> usize {
    if layout.minor <= 10 {
        memory.word(keys + 8) * 2 / 3
    } else {
        memory.word(keys + 16) + memory.word(keys + 24)
    }
}

/// The values of a `dict` with a split table; 0 for any other.
pub(crate) fn values(layout: &Layout, memory: Memory, dict: usize) -> usize {
    memory.word(dict + layout.header + 24)
}

/// Places for entries that a keys object has given out.
pub(crate) fn n_entries(layout: &Layout, memory: Memory, keys: usize) -> usize {
    Table::of(layout, memory, keys).n_entries
}

/// Number of entries of a `dict`.
pub(crate) fn len(layout: &Layout, memory: Memory, dict: usize) -> usize {
    memory.word(dict + layout.header)
}

/// Calls `see` with each key and value of a `dict` (exact or of a subclass) until it answers false.
pub(crate) fn each_entry(
    layout: &Layout,
    memory: Memory,
    dict: usize,
    mut see: impl FnMut(usize, usize) -> bool,
) {
    let keys = memory.word(dict + layout.header + 16);
    let values = memory.word(dict + layout.header + 24);
    if keys == 0 {
        return;
    }
    let table = Table::of(layout, memory, keys);
    // From 3.13 on the array of a split table's values has a head of 8 bytes.
    let first_value = values + if layout.minor >= 13 { 8 } else { 0 };
    for index in 0..table.n_entries {
        let entry = table.entries + index * table.entry_size + table.key;
        let value = if values != 0 {
            memory.word(first_value + index * 8)
        } else {
            memory.word(entry + 8)
        };
        if value != 0 && !see(memory.word(entry), value) {
            return;
        }
    }
}

/// The names of a keys object that instances share (`ht_cached_keys`), with their index.
pub(crate) fn each_shared_key(
    layout: &Layout,
    memory: Memory,
    keys: usize,
    mut see: impl FnMut(usize, usize),
) {
    let table = Table::of(layout, memory, keys);
    for index in 0..table.n_entries {
        let key = memory.word(table.entries + index * table.entry_size + table.key);
        if key != 0 {
            see(index, key);
        }
    }
}

/// The value of a key that is an ASCII `str`; 0 when there is none.
pub(crate) fn get(
    layout: &Layout,
    memory: Memory,
    dict: usize,
    str_type: usize,
    key: &[u8],
) -> usize {
    let mut found = 0;
    each_entry(layout, memory, dict, |candidate, value| {
        let is_key = layout.type_of(memory, candidate) == str_type
            && Text::of(layout, memory, candidate).is_ascii(key);
        if is_key {
            found = value;
        }
        !is_key
    });
    found
}

/// The characters of a `str`.
#[derive(Clone, Copy)]
pub(crate) struct Text<'h> {
    /// 1, 2 or 4 bytes a character.
    bytes: &'h [u8],
    width: usize,
}

impl<'h> Text<'h> {
    pub(crate) fn of(layout: &Layout, memory: Memory, object: usize) -> Self {
        let len = memory.word(object + layout.header);
        let (width, is_compact, is_ascii) = string_state(layout, memory, object);
        let start = match (is_compact, is_ascii) {
            (true, true) => object + layout.ascii,
            (true, false) => object + layout.compact,
            (false, _) => memory.word(object + layout.compact),
        };
        // A `str` of up to 3.11 may be without its characters until they are asked for.
        let len = if start == 0 || width == 0 { 0 } else { len };
        Self {
            bytes: memory.bytes(start, len * width),
            width: width.max(1),
        }
    }

    fn is_ascii(&self, text: &[u8]) -> bool {
        self.width == 1 && self.bytes == text
    }

    /// Its characters; what is no character (a lone surrogate) as U+FFFD.
    pub(crate) fn chars(self) -> impl Iterator<Item = char> + 'h {
        self.bytes.chunks_exact(self.width).map(|bytes| {
            let mut code = [0; 4];
            code[..bytes.len()].copy_from_slice(bytes);
            char::from_u32(u32::from_le_bytes(code)).unwrap_or(char::REPLACEMENT_CHARACTER)
        })
    }
}

/// Bytes a character, whether compact, whether ASCII: from `PyASCIIObject.state`.
pub(crate) fn string_state(layout: &Layout, memory: Memory, object: usize) -> (usize, bool, bool) {
    let state = memory.half(object + layout.header + 16);
    // `interned` takes two bits; from 3.14 on a byte in free-threaded builds.
    let state = state
        >> if layout.is_free_threaded && layout.minor >= 14 {
            8
        } else {
            2
        };
    (
        (state & 7) as usize,
        state >> 3 & 1 != 0,
        state >> 4 & 1 != 0,
    )
}
