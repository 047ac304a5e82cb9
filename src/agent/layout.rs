//! Where CPython keeps what: one table, by version.
//!
//! Offsets are in bytes, of 64-bit builds, read from the headers of 3.8.18, 3.9.18, 3.10.13, 3.11.7,
//! 3.12.1, 3.13.0, 3.13.15t, 3.14.10 and 3.15.2 with `offsetof`. The tests of the census compare
//! what is computed from them with `sys.getsizeof` on each interpreter found.

use crate::capi::CApi;
use crate::memory::Memory;
use leakhunt_wire::{Capi, NewFrame};

/// Bits of `tp_flags`.
pub(crate) mod flag {
    pub(crate) const INLINE_VALUES: usize = 1 << 2;
    pub(crate) const MANAGED_WEAKREF: usize = 1 << 3;
    pub(crate) const MANAGED_DICT: usize = 1 << 4;
    pub(crate) const IMMUTABLE_TYPE: usize = 1 << 8;
    pub(crate) const HEAP_TYPE: usize = 1 << 9;
    pub(crate) const HAVE_GC: usize = 1 << 14;
    pub(crate) const LIST: usize = 1 << 25;
    pub(crate) const TUPLE: usize = 1 << 26;
    pub(crate) const STR: usize = 1 << 28;
    pub(crate) const DICT: usize = 1 << 29;
    pub(crate) const TYPE: usize = 1 << 31;
}

/// The layout of one interpreter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// 8 for 3.8 and so on.
    pub(crate) minor: u32,
    /// 18 for 3.8.18 and so on.
    pub(crate) patch: u32,
    /// Without the GIL: an object's header is 32 bytes, not 16, and no list links the objects.
    pub(crate) is_free_threaded: bool,
    /// Offset of `ob_type`.
    pub(crate) ob_type: usize,
    /// Length of `PyObject`, offset of `ob_size`.
    pub(crate) header: usize,
    /// Offset of the items of a `PyTupleObject`.
    pub(crate) tuple_items: usize,
    /// Offset of `ht_cached_keys`; `ht_qualname` is 8, `ht_name` 24 bytes before it.
    pub(crate) ht_cached_keys: usize,
    /// Length of `PyTypeObject`.
    pub(crate) type_object: usize,
    /// Length of `PyHeapTypeObject`.
    pub(crate) heap_type_object: usize,
    /// Length of `PyASCIIObject` and `PyCompactUnicodeObject`.
    pub(crate) ascii: usize,
    pub(crate) compact: usize,
    /// Offset of `co_stacksize` and of `co_nlocalsplus` (up to 3.10: `co_nlocals`).
    pub(crate) co_stacksize: usize,
    pub(crate) co_nlocals: usize,
    /// From 3.11: offset of `co_localsplusnames`, and of what is kept of the code once it was asked
    /// for: `_co_code` in 3.11, `_co_cached` later.
    pub(crate) co_localsplusnames: usize,
    pub(crate) co_cached: usize,
    /// From 3.11: offset of the code object in an interpreter frame, and the length of its head.
    pub(crate) frame_code: usize,
    pub(crate) frame_head: usize,
    /// From 3.11: offset of the interpreter frame in a generator.
    pub(crate) generator_frame: usize,
    /// Address of `gcstate->collecting`; 0 where it is not known.
    pub(crate) collecting: usize,
}

impl Layout {
    /// The layout of the interpreter whose symbols are in `capi`. `None` for an unknown version.
    pub(crate) fn of(capi: &CApi, memory: Memory, interpreter: usize) -> Option<Self> {
        let version = memory.c_string(capi.version_text());
        let (minor, patch) = (minor_version(version)?, patch_version(version)?);
        let type_type = capi.address(Capi::PyType_Type);
        // The type of `type` is `type`: that finds the field.
        let ob_type = [8, 24]
            .into_iter()
            .find(|&at| memory.word(type_type + at) == type_type)?;
        let is_free_threaded = ob_type == 24;
        if is_free_threaded && minor < 13 {
            // A build with Py_TRACE_REFS: two pointers before each header.
            return None;
        }
        let header = ob_type + 8;
        // All of these stand 16 bytes further on in a free-threaded build.
        let more = header - 16;
        let (type_object, ht_cached_keys) = match minor {
            8 => (416, 872),
            9 => (408, 864),
            10 | 11 => (408, 872),
            12..=14 => (416, 880),
            15 => (424, 888),
            _ => return None,
        };
        let (co_stacksize, co_nlocals) = match minor {
            8..=10 => (32, 28),
            11 => (68, 76),
            _ => (64, 72),
        };
        let frame = NewFrame::of(minor, is_free_threaded);
        let mut layout = Self {
            minor,
            patch,
            is_free_threaded,
            ob_type,
            header,
            tuple_items: 0,
            ht_cached_keys: ht_cached_keys + more,
            type_object: type_object + more,
            heap_type_object: 0,
            ascii: if minor >= 12 { 40 } else { 48 } + more,
            compact: if minor >= 12 { 56 } else { 72 } + more,
            co_stacksize: co_stacksize + more,
            co_nlocals: co_nlocals + more,
            co_localsplusnames: 96 + more,
            co_cached: if minor <= 12 { 152 } else { 160 } + more,
            frame_code: frame.code,
            frame_head: frame.first_local,
            generator_frame: if minor == 11 { 80 } else { 72 } + more,
            collecting: 0,
        };
        layout.tuple_items = layout.basic_size(memory, capi.address(Capi::PyTuple_Type));
        layout.heap_type_object = layout.basic_size(memory, type_type);
        layout.collecting = collecting_flag(capi, memory, minor, interpreter);
        Some(layout)
    }

    #[inline(always)]
    pub(crate) fn type_of(&self, memory: Memory, object: usize) -> usize {
        memory.word(object + self.ob_type)
    }

    /// `ob_size`: the sign of an `int` up to 3.11 is in it.
    #[inline(always)]
    pub(crate) fn size_field(&self, memory: Memory, object: usize) -> isize {
        memory.signed(object + self.header)
    }

    /// A field of a `PyTypeObject`, by its offset in a build with the GIL.
    #[inline(always)]
    fn type_field(&self, memory: Memory, type_object: usize, offset: usize) -> usize {
        memory.word(type_object + offset + self.header - 16)
    }

    pub(crate) fn type_name<'a>(&self, memory: Memory, type_object: usize) -> &'a [u8] {
        memory.c_string(self.type_field(memory, type_object, 24))
    }
    pub(crate) fn basic_size(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 32)
    }
    pub(crate) fn item_size(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 40)
    }
    pub(crate) fn flags(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 168)
    }
    pub(crate) fn traverse(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 184)
    }
    pub(crate) fn base(&self, memory: Memory, type_object: usize) -> usize {
        memory.word(type_object + self.base_offset())
    }
    /// Offset of `tp_base`.
    pub(crate) fn base_offset(&self) -> usize {
        256 + self.header - 16
    }
    /// `tp_mro`: a tuple of types, the type itself first.
    pub(crate) fn bases(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 344)
    }
    pub(crate) fn is_collected(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 328)
    }
    /// The fields that a type made in C shows: where each is described.
    fn members(&self, memory: Memory, type_object: usize) -> impl Iterator<Item = Member> {
        /// Length of a `PyMemberDef`; no type has more.
        const MEMBER: usize = 40;
        const MOST_MEMBERS: usize = 2000;
        let first = self.type_field(memory, type_object, 240);
        (0..if first == 0 { 0 } else { MOST_MEMBERS })
            .map(move |index| first + index * MEMBER)
            .take_while(move |&member| memory.word(member) != 0)
            .map(move |member| Member {
                name: memory.c_string(memory.word(member)),
                kind: memory.half(member + 8),
                offset: memory.word(member + 16),
                flags: memory.half(member + 24),
            })
    }
    /// The offset of a field that a type made in C shows under a name; `None` where it shows none.
    pub(crate) fn member(&self, memory: Memory, type_object: usize, name: &[u8]) -> Option<usize> {
        self.members(memory, type_object)
            .find(|member| member.name == name)
            .map(|member| member.offset)
    }
    /// The names and offsets of the fields that a type made in C shows and that are references.
    pub(crate) fn each_object_member(
        &self,
        memory: Memory,
        type_object: usize,
        mut see: impl FnMut(&'static [u8], usize),
    ) {
        self.members(memory, type_object)
            .filter(Member::is_object)
            .for_each(|member| see(member.name, member.offset));
    }
    pub(crate) fn type_dict(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 264)
    }
    pub(crate) fn dict_offset(&self, memory: Memory, type_object: usize) -> isize {
        self.type_field(memory, type_object, 288) as isize
    }
    pub(crate) fn method_order(&self, memory: Memory, type_object: usize) -> usize {
        self.type_field(memory, type_object, 344)
    }

    /// Bytes before an object that `sys.getsizeof` adds: the collector's header and the pointers to
    /// a managed `__dict__` and weak references.
    pub(crate) fn size_before(&self, flags: usize) -> usize {
        let is_collected = flags & flag::HAVE_GC != 0 && !self.is_free_threaded;
        let managed = match self.minor {
            ..=10 => 0,
            11 => flags & flag::MANAGED_DICT,
            _ => flags & (flag::MANAGED_DICT | flag::MANAGED_WEAKREF),
        };
        usize::from(is_collected) * 16 + usize::from(managed != 0) * 16
    }

    /// The reference count; `None` for what is never freed, or counted in a way that says nothing.
    #[inline(always)]
    pub(crate) fn reference_count(&self, memory: Memory, object: usize) -> Option<u64> {
        if self.is_free_threaded {
            const DEFERRED: u8 = 1 << 6;
            let local = memory.half(object + 12);
            if local == u32::MAX || memory.byte(object + 11) & DEFERRED != 0 {
                return None;
            }
            let shared = memory.signed(object + 16) >> 2;
            return Some((local as isize + shared).max(0) as u64);
        }
        let count = memory.word(object);
        let is_immortal = match self.minor {
            ..=10 => false,
            // What came with the interpreter: 999,999,999, give or take.
            11 => count >= 500_000_000,
            12 | 13 => count as u32 >= 0x3fff_ffff,
            _ => count as u32 >= 1 << 31,
        };
        if is_immortal {
            return None;
        }
        Some(if self.minor >= 12 {
            count as u32 as u64
        } else {
            count as u64
        })
    }
}

/// `T_OBJECT` and `T_OBJECT_EX` of `PyMemberDef.type`.
pub(crate) const OBJECT_KINDS: [u32; 2] = [6, 16];

/// One `PyMemberDef`.
pub(crate) struct Member {
    pub(crate) name: &'static [u8],
    kind: u32,
    pub(crate) offset: usize,
    flags: u32,
}

impl Member {
    /// Whether it is a reference to an object, at an offset from the start of whoever has it.
    pub(crate) fn is_object(&self) -> bool {
        /// `Py_RELATIVE_OFFSET`.
        const RELATIVE: u32 = 8;
        OBJECT_KINDS.contains(&self.kind) && self.flags & RELATIVE == 0
    }
}

/// The `x` of the interpreter's version 3.x. Needs no GIL.
pub(crate) fn minor_version_of(capi: &CApi) -> Option<u32> {
    // SAFETY: the text of the version is static.
    let memory = unsafe { Memory::of_a_heap_that_stands_still() };
    minor_version(memory.c_string(capi.version_text())).filter(|minor| (8..=15).contains(minor))
}

/// The `x` of `3.x…`.
fn minor_version(text: &[u8]) -> Option<u32> {
    number(text.strip_prefix(b"3.")?)
}

/// The `x` of `3.y.x…`.
fn patch_version(text: &[u8]) -> Option<u32> {
    let rest = text.strip_prefix(b"3.")?;
    let dot = rest.iter().position(|&byte| byte == b'.')?;
    number(&rest[dot + 1..])
}

/// The number that a text starts with.
fn number(text: &[u8]) -> Option<u32> {
    let len = text.iter().position(|byte| !byte.is_ascii_digit())?;
    core::str::from_utf8(&text[..len]).ok()?.parse().ok()
}

/// Where the collector notes that it is at work.
///
/// 3.9 to 3.12: at a fixed distance from `interp->gc`, which [`crate::lists`] finds. From 3.13 on
/// `_Py_DebugOffsets` at the start of `_PyRuntime` tells: here the offsets within that table.
fn collecting_flag(capi: &CApi, memory: Memory, minor: u32, interpreter: usize) -> usize {
    let runtime = capi.address(Capi::_PyRuntime);
    let (gc_at, collecting_at) = match minor {
        13 => (80, 576),
        14 => (88, 656),
        15 => (88, 760),
        _ => return 0,
    };
    if runtime == 0 || memory.bytes(runtime, 8) != b"xdebugpy" {
        return 0;
    }
    let (gc, collecting) = (
        memory.word(runtime + gc_at),
        memory.word(runtime + collecting_at),
    );
    const LARGEST: usize = 1 << 20;
    if gc > LARGEST || collecting > LARGEST {
        return 0;
    }
    let address = interpreter + gc + collecting;
    if memory.half(address) <= 1 {
        address
    } else {
        0
    }
}
