//! The types of a walk: one entry each, found by address.

use leakhunt_wire::{Capi, Count};

use crate::buffer::{Budget, Buffer, NoMemory, Plain};
use crate::capi::CApi;
use crate::dicts::{self, Text};
use crate::layout::{Layout, flag};
use crate::memory::Memory;
use crate::sizes::TypeSize;
use crate::text::NameText;

/// One type and what was counted of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypeEntry {
    pub(crate) address: usize,
    pub(crate) size: TypeSize,
    pub(crate) all: Count,
    pub(crate) frozen: Count,
    pub(crate) garbage: Count,
    /// Place of the first object in list order; `u64::MAX` while it is not known.
    pub(crate) first_seen: u64,
    /// Place from the end of the list of the object seen last from there.
    pub(crate) last_from_end: u64,
    /// Whether its objects are those that were asked for.
    pub(crate) is_wanted: bool,
}

// SAFETY: numbers, a `bool` that is false, and a `SizeRule` that is `Plain`, when all bytes are 0.
unsafe impl Plain for TypeEntry {}

/// What is kept of one type.
pub(crate) trait Entry: Plain {
    /// The address of the type.
    fn address(&self) -> usize;
}

impl Entry for TypeEntry {
    fn address(&self) -> usize {
        self.address
    }
}

impl TypeEntry {
    /// A type of which nothing is counted yet.
    pub(crate) fn new(address: usize, size: TypeSize, is_wanted: bool) -> Self {
        let none = Count {
            n_objects: 0,
            size_bytes: 0,
        };
        Self {
            address,
            size,
            all: none,
            frozen: none,
            garbage: none,
            first_seen: u64::MAX,
            last_from_end: 0,
            is_wanted,
        }
    }
}

/// Open addressing: `slots` holds the index of an entry plus one, 0 is free.
pub(crate) struct TypeTable<E: Entry> {
    entries: Buffer<E>,
    slots: Buffer<u32>,
}

impl<E: Entry> TypeTable<E> {
    pub(crate) fn new(budget: &mut Budget) -> Result<Self, NoMemory> {
        Ok(Self {
            entries: Buffer::new(),
            slots: Buffer::zeroed(8192, budget)?,
        })
    }

    pub(crate) fn entries(&self) -> &[E] {
        &self.entries
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [E] {
        &mut self.entries
    }

    /// The entry of a type; `make` fills in a new one.
    #[inline]
    pub(crate) fn entry(
        &mut self,
        address: usize,
        budget: &mut Budget,
        make: impl FnOnce() -> E,
    ) -> Result<&mut E, NoMemory> {
        let mut slot = self.first_slot(address);
        loop {
            match self.slots[slot] {
                0 => break,
                // Stored indices are of entries that exist.
                index if self.entries[index as usize - 1].address() == address => {
                    return Ok(&mut self.entries[index as usize - 1]);
                }
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
        self.add(slot, make(), budget)
    }

    #[cold]
    fn add(&mut self, slot: usize, entry: E, budget: &mut Budget) -> Result<&mut E, NoMemory> {
        self.entries.push(entry, budget)?;
        let index = self.entries.len();
        self.slots[slot] = index as u32;
        if index * 2 > self.slots.len() {
            self.rehash(budget)?;
        }
        Ok(&mut self.entries[index - 1])
    }

    fn rehash(&mut self, budget: &mut Budget) -> Result<(), NoMemory> {
        self.slots = Buffer::zeroed(self.slots.len() * 4, budget)?;
        for index in 0..self.entries.len() {
            let mut slot = self.first_slot(self.entries[index].address());
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = index as u32 + 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn first_slot(&self, address: usize) -> usize {
        let hash = (address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash >> 32 & (self.slots.len() - 1)
    }
}

/// What a type is called.
pub(crate) struct TypeName {
    module: NameText,
    qualname: NameText,
    name: NameText,
}

impl TypeName {
    pub(crate) fn of(layout: &Layout, memory: Memory, capi: &CApi, type_object: usize) -> Self {
        let mut names = Self {
            module: NameText::new(),
            qualname: NameText::new(),
            name: NameText::new(),
        };
        let str_type = capi.address(Capi::PyUnicode_Type);
        // Made in C: `module.Name`, or `Name` for the builtins.
        let text = layout.type_name(memory, type_object);
        let dot = text.iter().rposition(|&byte| byte == b'.');
        if let Some(dot) = dot {
            names.module.push_bytes(&text[..dot]);
        }
        let name = &text[dot.map_or(0, |dot| dot + 1)..];
        if layout.flags(memory, type_object) & flag::HEAP_TYPE == 0 {
            names.name.push_bytes(name);
            names.qualname.push_bytes(name);
            return names;
        }
        let string = |object: usize| {
            (object != 0 && layout.type_of(memory, object) == str_type)
                .then(|| Text::of(layout, memory, object))
        };
        match string(memory.word(type_object + layout.ht_cached_keys - 24)) {
            Some(text) => names.name.push_name(text),
            None => names.name.push_bytes(name),
        }
        match string(memory.word(type_object + layout.ht_cached_keys - 8)) {
            Some(text) => names.qualname.push_name(text),
            None => names.qualname.push_bytes(name),
        }
        let dict = layout.type_dict(memory, type_object);
        let module = if dict == 0 {
            0
        } else {
            dicts::get(layout, memory, dict, str_type, b"__module__")
        };
        if let Some(text) = string(module) {
            names.module = NameText::new();
            names.module.push_name(text);
            if names.module.as_str() == "builtins" {
                names.module = NameText::new();
            }
        }
        names
    }

    /// `__module__`; empty for the builtins.
    pub(crate) fn module(&self) -> &str {
        self.module.as_str()
    }

    pub(crate) fn qualname(&self) -> &str {
        self.qualname.as_str()
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// `module.qualname`, or `qualname` for the builtins.
    pub(crate) fn full(&self) -> NameText {
        let mut full = NameText::new();
        if !self.module().is_empty() {
            full.push_str(self.module());
            full.push_str(".");
        }
        full.push_str(self.qualname());
        full
    }

    /// Whether a user means this type by `wanted`: `Name`, `module.Name`, `module.Outer.Name`.
    pub(crate) fn matches(&self, wanted: &str) -> bool {
        if wanted == self.name() || wanted == self.qualname() {
            return true;
        }
        let module = if self.module().is_empty() {
            "builtins"
        } else {
            self.module()
        };
        wanted
            .strip_prefix(module)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|rest| rest == self.name() || rest == self.qualname())
    }
}
