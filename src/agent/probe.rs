//! Runs Python of the command line: on objects in a copy of the copy, or in the target itself.

use core::ffi::c_int;
use core::ptr;

use leakhunt_wire::{Capi, ProbeRequest};

use crate::buffer::{Budget, Buffer};
use crate::capi::{Argument, CApi, Object};
use crate::describe::{is_untracked, pairs};
use crate::dump::{Dump, How, MEMORY_LIMIT_BYTES, ObjectText, Texts, write_str};
use crate::lists::as_object;
use crate::outbox::Outbox;
use crate::tally::{Tally, Walk, WalkError};
use crate::types::TypeName;

impl Walk<'_> {
    /// Whether a type, or one of its bases, is one that a request names.
    pub(crate) fn is_of(&self, type_object: usize, request: &ProbeRequest<'_>) -> bool {
        let (layout, memory, capi) = (&self.heap.layout, self.memory, &self.heap.capi);
        let order = layout.bases(memory, type_object);
        if order == 0 || layout.type_of(memory, order) != capi.address(Capi::PyTuple_Type) {
            return false;
        }
        let n_bases = layout.size_field(memory, order).max(0) as usize;
        (0..n_bases).any(|index| {
            let base = memory.word(order + layout.tuple_items + index * 8);
            let name = TypeName::of(layout, memory, capi, base);
            request.types.lines().any(|wanted| name.matches(wanted))
        })
    }

    /// Sends what the request's Python yields: for `None`, then for the objects that were gathered.
    pub(crate) fn finish_probe(
        &self,
        mut tally: Tally<'_>,
        request: &ProbeRequest<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), WalkError> {
        self.progress.set_matching(tally.wanted.len());
        let mut objects = Buffer::new();
        let none = self.heap.capi.address(Capi::_Py_NoneStruct);
        objects.push(none, &mut tally.budget)?;
        for &object in tally.wanted.iter() {
            objects.push(object, &mut tally.budget)?;
        }
        for (address, type_object) in pairs(request.objects) {
            if is_untracked(self.heap, self, address, type_object) {
                objects.push(address, &mut tally.budget)?;
            }
        }
        let dump = Dump {
            walk: self,
            how: How {
                max_chars: 0,
                texts: Texts::Python(request.source),
                object_time_limit_ms: request.object_time_limit_ms,
                time_limit_ms: request.time_limit_ms,
            },
            objects: &objects,
            is_described: false,
        };
        dump.show_in_copies(outbox)
    }
}

/// Python of a request that has run, and left `rows` behind.
pub(crate) struct Probe<'c> {
    capi: &'c CApi,
    rows: Object,
}

impl<'c> Probe<'c> {
    /// Runs the source; `None` when it raised.
    ///
    /// # Safety
    /// The caller holds the GIL of a copy for as long as the value is there; the copy's end frees
    /// what this makes.
    pub(crate) unsafe fn load(capi: &'c CApi, source: &str) -> Option<Self> {
        // SAFETY: the caller holds the GIL; each result is checked.
        unsafe {
            let globals = execute(capi, source)?;
            let rows = capi.dict_get(globals, c"rows".as_ptr());
            (!rows.is_null()).then_some(Self { capi, rows })
        }
    }

    /// Goes on to an object.
    ///
    /// # Safety
    /// As `load`; the object is alive.
    pub(crate) unsafe fn begin(&self, object: usize) {
        // SAFETY: by this function's contract. The reference is never given back: a copy's end frees
        // all, and an object that died here would run its finalizer.
        unsafe {
            let object = as_object(object);
            self.capi.incref(object);
            self.capi.call_method(self.rows, c"begin", object);
        }
    }

    /// Appends the next text about the object; `false` when there is none.
    ///
    /// # Safety
    /// As `load`.
    pub(crate) unsafe fn next(&self, text: &mut ObjectText) -> bool {
        // SAFETY: by this function's contract.
        unsafe {
            let row = self.capi.call(self.rows, c"next", Argument::None);
            // What is no `str` has no text, and raises, which is then forgotten.
            !row.is_null() && write_str(self.capi, row, text)
        }
    }
}

/// Runs Python in the target, and appends the `str` that it leaves as `result`; nothing when it
/// raised. Nothing of it stays, unless it is what the source is for.
///
/// # Safety
/// The caller holds the GIL. The source may let it go and take it again.
pub(crate) unsafe fn run(capi: &CApi, source: &str, text: &mut ObjectText) {
    // SAFETY: the caller holds the GIL; each result is checked, and its reference given back.
    unsafe {
        let Some(globals) = execute(capi, source) else {
            return;
        };
        let result = capi.dict_get(globals, c"result".as_ptr());
        if !result.is_null() {
            capi.incref(result);
            write_str(capi, result, text);
        }
        // Functions of the source refer to their globals, and these to them.
        capi.call_method(globals, c"clear", ptr::null_mut());
        capi.decref(globals);
    }
}

/// The globals that a source leaves, a new reference; `None` when it raised.
///
/// # Safety
/// The caller holds the GIL.
unsafe fn execute(capi: &CApi, source: &str) -> Option<Object> {
    const FILE_INPUT: c_int = 257;
    let mut budget = Budget::new(MEMORY_LIMIT_BYTES);
    let mut text = Buffer::new();
    for byte in source.bytes().chain([0]) {
        text.push(byte, &mut budget).ok()?;
    }
    // SAFETY: the text ends with a zero; the caller holds the GIL; each result is checked.
    unsafe {
        let globals = capi.new_dict();
        if globals.is_null() {
            capi.clear_error();
            return None;
        }
        let result = capi.run(text.as_ptr().cast(), FILE_INPUT, globals, globals);
        if result.is_null() {
            capi.clear_error();
            capi.decref(globals);
            return None;
        }
        capi.decref(result);
        Some(globals)
    }
}
