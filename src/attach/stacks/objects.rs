//! Reads objects of an interpreter from outside. What is read may change or go away meanwhile: each
//! type is checked, each length bounded, and whatever does not fit is `None`.

use leakhunt_wire::{Capi, N_CAPI};

use super::layout::Layout;
use crate::memory::Memory;

/// Entries of a dict that are read at most.
const MOST_ENTRIES: u64 = 200_000;
/// Fields of `PyTypeObject`, in a build with the GIL.
const TP_NAME: u64 = 24;
const TP_BASICSIZE: u64 = 32;
const TP_FLAGS: u64 = 168;
const TP_DICT: u64 = 264;
const TP_DICTOFFSET: u64 = 288;
/// Bits of `tp_flags`.
const INLINE_VALUES: u64 = 1 << 2;
const MANAGED_DICT: u64 = 1 << 4;
const HEAP_TYPE: u64 = 1 << 9;

/// Whether a word can be the address of something that a process has: above it is the kernel's.
pub(super) fn is_address(word: u64) -> bool {
    word < 1 << 56
}

/// The objects of one interpreter.
#[derive(Clone, Copy)]
pub(super) struct Objects<'a> {
    pub(super) memory: &'a Memory,
    pub(super) layout: &'a Layout,
    /// Addresses in the order of [`Capi`].
    pub(super) capi: &'a [u64; N_CAPI],
}

impl Objects<'_> {
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        self.memory.read_u64(address).ok()
    }

    /// A word that can be an address: what is added to it stays one.
    pub(super) fn pointer(&self, address: u64) -> Option<u64> {
        self.word(address).filter(|&word| is_address(word))
    }

    pub(super) fn half(&self, address: u64) -> Option<u32> {
        self.memory.read_u32(address).ok()
    }

    pub(super) fn byte(&self, address: u64) -> Option<u8> {
        let mut byte = [0];
        self.memory.read(address, &mut byte).ok()?;
        Some(byte[0])
    }

    /// `None` where not all of it can be read.
    pub(super) fn bytes(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(len).ok()?];
        self.memory.read(address, &mut bytes).ok()?;
        Some(bytes)
    }

    /// The type of an object; `None` where none can be.
    pub(super) fn type_of(&self, object: u64) -> Option<u64> {
        if object == 0 || !object.is_multiple_of(8) || !is_address(object) {
            return None;
        }
        self.pointer(object + self.layout.header - 8)
    }

    pub(super) fn is_exactly(&self, object: u64, symbol: Capi) -> bool {
        let type_object = self.capi[symbol as usize];
        type_object != 0 && self.type_of(object) == Some(type_object)
    }

    /// `tp_name`: with the module for a type made in C, without it for a class.
    pub(super) fn type_name(&self, type_object: u64) -> Option<String> {
        self.c_string(self.word(type_object + TP_NAME + self.layout.more())?)
    }

    /// A text that ends with a zero.
    pub(super) fn c_string(&self, address: u64) -> Option<String> {
        const LONGEST: usize = 200;
        let mut bytes = self.memory.read_some(address, LONGEST);
        bytes.truncate(bytes.iter().position(|&byte| byte == 0)?);
        let text = String::from_utf8(bytes).ok()?;
        (!text.is_empty()).then_some(text)
    }

    /// `module.Qualified.Name` of a class.
    pub(super) fn class_name(&self, type_object: u64) -> Option<String> {
        let more = self.layout.more();
        let flags = self.word(type_object + TP_FLAGS + more)?;
        if flags & HEAP_TYPE == 0 {
            return self.type_name(type_object);
        }
        let name = self.word(self.cached_keys_place(type_object) - 8)?;
        let name = self.text(name, 200)?;
        let dict = self.word(type_object + TP_DICT + more)?;
        let module = self.entry(dict, "__module__");
        Some(match module.and_then(|module| self.text(module, 200)) {
            Some(module) if module != "builtins" => format!("{module}.{name}"),
            _ => name,
        })
    }

    /// Where a class has the keys that its instances share; `ht_qualname` is right before.
    fn cached_keys_place(&self, type_object: u64) -> u64 {
        let place = match self.layout.minor {
            8 | 10 | 11 => 872,
            9 => 864,
            12..=14 => 880,
            _ => 888,
        };
        type_object + place + self.layout.more()
    }

    /// The characters of a `str`, cut behind `most`.
    pub(super) fn text(&self, object: u64, most: u64) -> Option<String> {
        if !self.is_exactly(object, Capi::PyUnicode_Type) {
            return None;
        }
        let layout = self.layout;
        let len = self.word(object + layout.header)?.min(most);
        let state = self.half(object + layout.header + 16)?;
        // `interned` takes two bits; from 3.14 on a byte in free-threaded builds.
        let has_byte = layout.is_free_threaded && layout.minor >= 14;
        let state = state >> if has_byte { 8 } else { 2 };
        let (width, is_compact, is_ascii) = (state & 7, state >> 3 & 1, state >> 4 & 1);
        let ascii = if layout.minor >= 12 { 40 } else { 48 } + layout.more();
        let compact = if layout.minor >= 12 { 56 } else { 72 } + layout.more();
        let start = match (is_compact, is_ascii) {
            (1, 1) => object + ascii,
            (1, _) => object + compact,
            _ => self.word(object + compact)?,
        };
        if len == 0 {
            return Some(String::new());
        }
        if start == 0 || !matches!(width, 1 | 2 | 4) {
            return None;
        }
        let bytes = self.bytes(start, len * u64::from(width))?;
        let characters = bytes.chunks_exact(width as usize).map(|bytes| {
            let mut code = [0; 4];
            code[..bytes.len()].copy_from_slice(bytes);
            char::from_u32(u32::from_le_bytes(code)).unwrap_or(char::REPLACEMENT_CHARACTER)
        });
        Some(characters.collect())
    }

    /// The content of a `bytes` of at most `most` bytes.
    pub(super) fn bytes_of(&self, object: u64, most: u64) -> Option<Vec<u8>> {
        if !self.is_exactly(object, Capi::PyBytes_Type) {
            return None;
        }
        let len = self.word(object + self.layout.header)?;
        // After the length and the hash.
        let first = object + self.layout.header + 16;
        (len <= most).then(|| self.bytes(first, len)).flatten()
    }

    /// The value of an `int` that fits.
    pub(super) fn int(&self, object: u64) -> Option<i128> {
        const DIGIT_BITS: u32 = 30;
        if !self.is_exactly(object, Capi::PyLong_Type) {
            return None;
        }
        let size = self.word(object + self.layout.header)?;
        let (n_digits, is_negative) = if self.layout.minor >= 12 {
            (size >> 3, size & 3 == 2)
        } else {
            (size.cast_signed().unsigned_abs(), size.cast_signed() < 0)
        };
        if n_digits > 4 {
            return None;
        }
        let bytes = self.bytes(object + self.layout.header + 8, n_digits * 4)?;
        let (digits, _) = bytes.as_chunks::<4>();
        let value = digits.iter().rev().fold(0_i128, |value, &digit| {
            value << DIGIT_BITS | i128::from(u32::from_le_bytes(digit))
        });
        Some(if is_negative { -value } else { value })
    }

    /// The items of a `tuple`.
    pub(super) fn tuple(&self, object: u64) -> Option<Vec<u64>> {
        const MOST_ITEMS: u64 = 10_000;
        if !self.is_exactly(object, Capi::PyTuple_Type) {
            return None;
        }
        let header = self.layout.header;
        let len = self.word(object + header)?;
        if len > MOST_ITEMS {
            return None;
        }
        // From 3.14 on the hash is kept before the items.
        let hash = if self.layout.minor >= 14 { 8 } else { 0 };
        self.words(object + header + 8 + hash, len)
    }

    /// So many words.
    pub(super) fn words(&self, address: u64, len: u64) -> Option<Vec<u64>> {
        let bytes = self.bytes(address, len.checked_mul(8)?)?;
        let (words, _) = bytes.as_chunks::<8>();
        Some(words.iter().map(|&word| u64::from_le_bytes(word)).collect())
    }

    /// Keys and values of a `dict`, in its order.
    pub(super) fn entries(&self, dict: u64) -> Option<Vec<(u64, u64)>> {
        if !self.is_exactly(dict, Capi::PyDict_Type) {
            return None;
        }
        let header = self.layout.header;
        let keys = self.pointer(dict + header + 16)?;
        let values = self.pointer(dict + header + 24)?;
        let keys = self.keys(keys)?;
        if values == 0 {
            return Some(keys.into_iter().filter(|entry| entry.1 != 0).collect());
        }
        // From 3.13 on the array of a split table's values has a head of 8 bytes.
        let first = values + if self.layout.minor >= 13 { 8 } else { 0 };
        let values = self.words(first, keys.len() as u64)?;
        Some(set_entries(&keys, &values))
    }

    /// The entries of a keys object, with what stands behind each key.
    fn keys(&self, keys: u64) -> Option<Vec<(u64, u64)>> {
        let (head, index_bytes, n_entries, is_general) = if self.layout.minor <= 10 {
            let size = self.word(keys + 8)?;
            let index_bytes = size.checked_mul(match size {
                ..0x100 => 1,
                0x100..0x1_0000 => 2,
                0x1_0000..0x1_0000_0000 => 4,
                _ => 8,
            })?;
            (40, index_bytes, self.word(keys + 32)?, true)
        } else {
            let log_index_bytes = self.byte(keys + 9)?;
            let index_bytes = 1_u64.checked_shl(log_index_bytes.into())?;
            let is_general = self.byte(keys + 10)? == 0;
            (32, index_bytes, self.word(keys + 24)?, is_general)
        };
        if n_entries > MOST_ENTRIES {
            return None;
        }
        let first = keys.checked_add(head)?.checked_add(index_bytes)?;
        let words_each = if is_general { 3 } else { 2 };
        let words = self.words(first, n_entries * words_each)?;
        let entries = words.chunks_exact(words_each as usize);
        Some(
            entries
                .map(|entry| (entry[entry.len() - 2], entry[entry.len() - 1]))
                .collect(),
        )
    }

    /// The value of a key that is a `str`.
    pub(super) fn entry(&self, dict: u64, key: &str) -> Option<u64> {
        let entries = self.entries(dict)?;
        entries
            .into_iter()
            .find(|entry| self.is_text(entry.0, key))
            .map(|entry| entry.1)
    }

    fn is_text(&self, object: u64, text: &str) -> bool {
        let len = text.chars().count() as u64;
        is_address(object)
            && self.word(object + self.layout.header) == Some(len)
            && self.text(object, len).as_deref() == Some(text)
    }

    /// The attributes that an instance has of its own.
    pub(super) fn attributes(&self, object: u64) -> Option<Vec<(u64, u64)>> {
        let layout = self.layout;
        let type_object = self.type_of(object)?;
        let field = |offset: u64| self.word(type_object + offset + layout.more());
        let flags = field(TP_FLAGS)?;
        if layout.minor < 11 || flags & MANAGED_DICT == 0 {
            let offset = field(TP_DICTOFFSET)?.cast_signed();
            let dict = match offset {
                1..1_000_000 => self.word(object + offset.unsigned_abs())?,
                _ => return None,
            };
            return self.entries(dict);
        }
        let before = if layout.is_free_threaded { 8 } else { 24 };
        let dict = self.pointer(object - before)?;
        let is_tagged = layout.minor == 12 && dict & 1 != 0;
        if dict != 0 && !is_tagged {
            return self.entries(dict);
        }
        let first = match layout.minor {
            11 => self.pointer(object - 32)?,
            12 => dict + 1,
            _ => {
                let head = object.checked_add(field(TP_BASICSIZE)?)?;
                let is_valid = flags & INLINE_VALUES != 0 && self.byte(head + 3)? != 0;
                if !is_valid {
                    return None;
                }
                head + 8
            }
        };
        if first <= 1 {
            return None;
        }
        let keys = self.keys(self.pointer(self.cached_keys_place(type_object))?)?;
        let values = self.words(first, keys.len() as u64)?;
        Some(set_entries(&keys, &values))
    }

    /// The globals of a module.
    pub(super) fn globals(&self, module: u64) -> Option<u64> {
        let header = self.layout.header;
        let type_object = self.type_of(module)?;
        // A module of a subclass starts in the same way; its dict is checked where it is read.
        (type_object != 0).then(|| self.word(module + header))?
    }

    /// The value of `name` among attributes.
    pub(super) fn named(&self, attributes: &[(u64, u64)], name: &str) -> Option<u64> {
        attributes
            .iter()
            .find(|entry| self.is_text(entry.0, name))
            .map(|entry| entry.1)
    }
}

/// Each key with its value, of a table whose keys and values are apart; a key without a value has 0 there.
fn set_entries(keys: &[(u64, u64)], values: &[u64]) -> Vec<(u64, u64)> {
    let pairs = keys.iter().map(|entry| entry.0).zip(values.iter().copied());
    pairs.filter(|entry| entry.1 != 0).collect()
}
