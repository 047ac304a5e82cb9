//! Shows the objects of a type.
//!
//! `repr` is code of the target, which may do anything: it runs in a copy of the copy. What it
//! changes, prints or breaks is gone with that, a `repr` that takes too long is ended with it, and
//! the next object gets a fresh one. No descriptor of the target is open there but `/dev/null`.

use leakhunt_wire::{DumpObject, DumpRequest, Note, Reply};

use crate::buffer::Budget;
use crate::capi::CApi;
use crate::copy::{self, WaitEnd, code};
use crate::fields;
use crate::lists::as_object;
use crate::outbox::{NotSent, Outbox};
use crate::sizes::TypeSize;
use crate::sys::{self, ChildEnd};
use crate::tally::{Tally, Walk, WalkError};
use crate::text::{NameText, TextBuffer};
use crate::types::TypeName;

/// The text of one object: as much as a packet holds beside the rest.
pub(crate) type ObjectText = TextBuffer<{ leakhunt_wire::MAX_PACKET - 4096 }>;

/// One object's text and what it is.
struct Shown {
    text: ObjectText,
    note: Note,
}

/// What a copy may take for a dump: the addresses of the objects, and what the target changes
/// meanwhile.
pub(crate) const MEMORY_LIMIT_BYTES: u64 = 1 << 30;

impl Walk<'_> {
    /// What the copy gathers for a request.
    pub(crate) fn dump_tally<'t>(
        &'t self,
        is_wanted: &'t dyn Fn(&TypeName) -> bool,
    ) -> Result<Tally<'t>, WalkError> {
        Ok(Tally::new(self, MEMORY_LIMIT_BYTES, false, is_wanted)?)
    }

    /// Sends the objects that were gathered, or, when there are none, all types.
    pub(crate) fn finish_dump(
        &self,
        mut tally: Tally<'_>,
        request: &DumpRequest<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), WalkError> {
        self.progress.set_matching(tally.wanted.len());
        if tally.wanted.is_empty() {
            return Ok(tally.send_types(outbox)?);
        }
        let limit = if request.limit == 0 {
            usize::MAX
        } else {
            request.limit as usize
        };
        let objects = &tally.wanted[..tally.wanted.len().min(limit)];
        let dump = Dump {
            walk: self,
            request,
            objects,
        };
        if request.safe {
            Ok(dump.show_fields(outbox)?)
        } else {
            dump.show_reprs(outbox)
        }
    }
}

struct Dump<'a> {
    walk: &'a Walk<'a>,
    request: &'a DumpRequest<'a>,
    objects: &'a [usize],
}

impl Dump<'_> {
    fn show_fields(&self, outbox: &mut Outbox) -> Result<(), NotSent> {
        for index in 0..self.objects.len() {
            let mut shown = Shown {
                text: ObjectText::new(),
                note: Note::Whole,
            };
            fields::write(
                self.walk.heap,
                self.walk.memory,
                self.objects[index],
                &mut shown.text,
            );
            self.send(outbox, index, &shown)?;
        }
        Ok(())
    }

    /// This copy watches over the one that runs `repr`, and must not end before it: else that one's
    /// end would be told to the target.
    fn show_reprs(&self, outbox: &mut Outbox) -> Result<(), WalkError> {
        let progress = self.walk.progress;
        let deadline_us = sys::now_us() + u64::from(self.request.time_limit_ms) * 1000;
        sys::alarm(0);
        let mut next = 0;
        while next < self.objects.len() {
            // SAFETY: the copy runs `show_reprs_from`, which does not return.
            let pid = match unsafe { sys::clone_process() } {
                Ok(0) => self.show_reprs_from(next, outbox),
                Ok(pid) => pid,
                Err(_) => return Err(WalkError::NoMemory),
            };
            let is_late = || sys::now_us() > deadline_us;
            let must_stop = |pause_us| {
                sys::sleep_us(pause_us);
                progress.must_stop() || is_late()
            };
            let end = copy::wait(pid, must_stop, || sys::kill_child(pid));
            let note = match end {
                WaitEnd::Ended(ChildEnd::Exited(0)) => return Ok(()),
                WaitEnd::Ended(ChildEnd::Exited(code::NOT_SENT)) => return Err(WalkError::NotSent),
                WaitEnd::Stopped if is_late() => return Err(WalkError::TimeLimit),
                WaitEnd::Stopped => return Err(WalkError::Stopped),
                WaitEnd::Ended(ChildEnd::Killed(sys::SIGALRM)) => Note::TimedOut,
                _ => Note::Crashed,
            };
            let index = self.walk.progress.current_object();
            self.send(
                outbox,
                index,
                &Shown {
                    text: ObjectText::new(),
                    note,
                },
            )?;
            next = index + 1;
        }
        Ok(())
    }

    fn show_reprs_from(&self, first: usize, outbox: &mut Outbox) -> ! {
        sys::die_with_parent();
        let limit_us = u64::from(self.request.object_time_limit_ms) * 1000;
        for index in first..self.objects.len() {
            self.walk.progress.enter_object(index);
            sys::alarm(limit_us);
            let shown = self.repr(self.objects[index]);
            if self.send(outbox, index, &shown).is_err() {
                sys::exit_process(code::NOT_SENT);
            }
        }
        sys::exit_process(0)
    }

    fn repr(&self, object: usize) -> Shown {
        let mut text = ObjectText::new();
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let type_object = heap.layout.type_of(memory, object);
        // SAFETY: this thread has the GIL of this copy, and the object was alive when it was made.
        if unsafe { write_repr(&heap.capi, object, &mut text) } {
            return Shown {
                text,
                note: Note::Whole,
            };
        }
        text.push_str("Failed to serialize ");
        // SAFETY: as above; a type is alive as long as its objects are.
        if !unsafe { write_repr(&heap.capi, type_object, &mut text) } {
            text.push_str("<class '");
            text.push_str(self.type_name(object).as_str());
            text.push_str("'>");
        }
        Shown {
            text,
            note: Note::Raised,
        }
    }

    fn type_name(&self, object: usize) -> NameText {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let type_object = heap.layout.type_of(memory, object);
        TypeName::of(&heap.layout, memory, &heap.capi, type_object).full()
    }

    fn send(&self, outbox: &mut Outbox, index: usize, shown: &Shown) -> Result<(), NotSent> {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let object = self.objects[index];
        let type_object = heap.layout.type_of(memory, object);
        let size = TypeSize::of(&heap.layout, memory, &heap.capi, type_object);
        let max_chars = match self.request.max_chars {
            0 => usize::MAX,
            max_chars => max_chars as usize,
        };
        let whole = shown.text.as_str();
        let text = whole
            .char_indices()
            .nth(max_chars)
            .map_or(whole, |(end, _)| &whole[..end]);
        let is_cut = text.len() < whole.len() || shown.text.is_full();
        let note = match shown.note {
            Note::Whole if is_cut => Note::Shortened,
            note => note,
        };
        let type_name = self.type_name(object);
        let object = DumpObject {
            address: object as u64,
            size_bytes: size.of_object(&heap.layout, memory, object) as u64,
            type_name: type_name.as_str(),
            note,
            text,
        };
        outbox.put(&Reply::Object(object), &mut Budget::new(u64::MAX))
    }
}

/// Appends `repr(object)`; `false` when it raised.
///
/// # Safety
/// The caller holds the GIL, and `object` is alive.
unsafe fn write_repr(capi: &CApi, object: usize, text: &mut ObjectText) -> bool {
    // SAFETY: the caller holds the GIL; each result is checked, and its reference given back.
    unsafe {
        let object = as_object(object);
        capi.incref(object);
        let repr = capi.repr(object);
        capi.decref(object);
        if repr.is_null() {
            capi.clear_error();
            return false;
        }
        let mut len = 0;
        let start = capi.as_utf8(repr, &raw mut len);
        if !start.is_null() {
            let bytes = core::slice::from_raw_parts(start.cast(), len as usize);
            text.push_utf8(bytes);
            capi.decref(repr);
            return true;
        }
        // A lone surrogate: written as Python writes it in `repr` of such a text.
        capi.clear_error();
        let bytes = capi.encode(repr, c"utf-8".as_ptr(), c"backslashreplace".as_ptr());
        capi.decref(repr);
        if bytes.is_null() {
            capi.clear_error();
            return false;
        }
        let mut start = core::ptr::null_mut();
        let is_read = capi.as_bytes(bytes, &raw mut start, &raw mut len) == 0;
        if is_read {
            text.push_utf8(core::slice::from_raw_parts(start.cast(), len as usize));
        }
        capi.decref(bytes);
        is_read
    }
}
