//! Shows the objects of a type.
//!
//! `repr` is code of the target, which may do anything: it runs in a copy of the copy. What it
//! changes, prints or breaks is gone with that, a `repr` that takes too long is ended with it, and
//! the next object gets a fresh one. No descriptor of the target is open there but `/dev/null`,
//! and its sockets where a probe asks for these.

use core::fmt::Write;

use leakhunt_wire::{Capi, Described, DumpObject, DumpRequest, Note, Reply};

use crate::buffer::Budget;
use crate::capi::{CApi, Object};
use crate::copy::{self, WaitEnd, code};
use crate::dicts::Text;
use crate::fields;
use crate::lists::as_object;
use crate::outbox::{NotSent, Outbox};
use crate::probe::Probe;
use crate::requests_of_others;
use crate::sizes::TypeSize;
use crate::source_file;
use crate::sys::{self, ChildEnd};
use crate::tally::{Tally, Walk, WalkError};
use crate::text::{NameText, TextBuffer};
use crate::types::TypeName;

/// The text of one object: as much as a packet holds beside the rest.
pub(crate) type ObjectText = TextBuffer<{ leakhunt_wire::MAX_PACKET - 4096 }>;

/// The file that an object comes from.
type FileText = TextBuffer<1024>;
/// Where an object was made.
type MadeAtText = TextBuffer<8192>;
/// The most bytes of the text of an object that is described: what these leave free.
const MOST_DESCRIBED: usize = leakhunt_wire::MAX_PACKET - 4096 - 1024 - 8192;

/// One object's text and what it is.
struct Shown {
    text: ObjectText,
    note: Note,
    made_at: MadeAtText,
}

impl Shown {
    fn new(text: ObjectText, note: Note) -> Self {
        let made_at = MadeAtText::new();
        Self {
            text,
            note,
            made_at,
        }
    }
}

/// What a copy may take for a dump: the addresses of the objects, and what the target changes
/// meanwhile.
pub(crate) const MEMORY_LIMIT_BYTES: u64 = 1 << 30;

impl Walk<'_> {
    /// What the copy gathers for a request.
    pub(crate) fn dump_tally<'t>(
        &'t self,
        is_wanted: &'t dyn Fn(usize, &TypeName) -> bool,
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
            how: How {
                max_chars: request.max_chars,
                texts: Texts::of(request.safe),
                object_time_limit_ms: request.object_time_limit_ms,
                time_limit_ms: request.time_limit_ms,
            },
            objects,
            is_described: false,
        };
        if let Texts::Fields = dump.how.texts {
            Ok(dump.show_fields(outbox)?)
        } else {
            dump.show_in_copies(outbox)
        }
    }
}

/// What is told of an object.
#[derive(Clone, Copy)]
pub(crate) enum Texts<'a> {
    /// Its fields, without running code of the target.
    Fields,
    Repr,
    /// What this Python yields for it.
    Python(&'a str),
}

impl Texts<'_> {
    pub(crate) fn of(is_safe: bool) -> Self {
        if is_safe { Self::Fields } else { Self::Repr }
    }
}

/// How objects are shown: as the requests say.
pub(crate) struct How<'a> {
    pub(crate) max_chars: u32,
    pub(crate) texts: Texts<'a>,
    pub(crate) object_time_limit_ms: u32,
    pub(crate) time_limit_ms: u32,
}

/// Objects to be shown.
pub(crate) struct Dump<'a> {
    pub(crate) walk: &'a Walk<'a>,
    pub(crate) how: How<'a>,
    pub(crate) objects: &'a [usize],
    /// Whether their files are told, and where they were made.
    pub(crate) is_described: bool,
}

impl Dump<'_> {
    fn show_fields(&self, outbox: &mut Outbox) -> Result<(), NotSent> {
        for index in 0..self.objects.len() {
            let shown = self.fields(self.objects[index]);
            self.send(outbox, index, &shown)?;
        }
        Ok(())
    }

    fn fields(&self, object: usize) -> Shown {
        let mut shown = Shown::new(ObjectText::new(), Note::Whole);
        fields::write(self.walk.heap, self.walk.memory, object, &mut shown.text);
        shown
    }

    /// This copy watches over the one that runs `repr`, and must not end before it: else that one's
    /// end would be told to the target.
    pub(crate) fn show_in_copies(&self, outbox: &mut Outbox) -> Result<(), WalkError> {
        let progress = self.walk.progress;
        let deadline_us = sys::now_us() + u64::from(self.how.time_limit_ms) * 1000;
        sys::alarm(0);
        let mut next = 0;
        let mut asks_tracemalloc = self.is_described;
        let mut tried_again = None;
        while next < self.objects.len() {
            // SAFETY: the copy runs `show_from`, which does not return.
            let pid = match unsafe { sys::clone_process() } {
                Ok(0) => self.show_from(next, asks_tracemalloc, outbox),
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
            let index = progress.current_object();
            // What is asked of `None` is about the interpreter alone: it hangs where the copy was made at
            // an unlucky moment: with a lock that a thread had.
            let is_python = matches!(self.how.texts, Texts::Python(_));
            if is_python && index == 0 && note == Note::TimedOut && self.walk.has_other_copies {
                return Err(WalkError::Stuck);
            }
            // Python of ours does not hang, mostly: a machine that is busy may not have let it run.
            if is_python
                && note == Note::TimedOut
                && progress.n_told() == 0
                && tried_again != Some(index)
            {
                tried_again = Some(index);
                next = index;
                continue;
            }
            if progress.is_asking() {
                // A thread of the target held its lock when the copy was made: do without.
                progress.set_asking(false);
                asks_tracemalloc = false;
                next = index;
                continue;
            }
            self.send(outbox, index, &Shown::new(ObjectText::new(), note))?;
            next = index + 1;
        }
        Ok(())
    }

    fn show_from(&self, first: usize, asks_tracemalloc: bool, outbox: &mut Outbox) -> ! {
        sys::die_with_parent();
        // SAFETY: this is the copy, which has the GIL and no other thread.
        unsafe { requests_of_others::forget(self.walk.heap, self.walk.memory) };
        let limit_us = self.object_limit_us();
        let mut probe = None;
        for index in first..self.objects.len() {
            let object = self.objects[index];
            self.walk.progress.enter_object(index);
            sys::alarm(limit_us);
            if let Texts::Python(source) = self.how.texts {
                if self.probe(&mut probe, source, index, outbox).is_err() {
                    sys::exit_process(code::NOT_SENT);
                }
                continue;
            }
            let mut made_at = MadeAtText::new();
            if asks_tracemalloc {
                self.walk.progress.set_asking(true);
                self.made_at(object, &mut made_at);
                self.walk.progress.set_asking(false);
            }
            let shown = match self.how.texts {
                Texts::Fields => self.fields(object),
                _ => self.repr(object),
            };
            let shown = Shown { made_at, ..shown };
            if self.send(outbox, index, &shown).is_err() {
                sys::exit_process(code::NOT_SENT);
            }
        }
        sys::exit_process(0)
    }

    /// Sends each text that a probe yields for an object. `loaded` is the probe, once it is loaded.
    fn probe<'d>(
        &'d self,
        loaded: &mut Option<Probe<'d>>,
        source: &str,
        index: usize,
        outbox: &mut Outbox,
    ) -> Result<(), NotSent> {
        // SAFETY: this thread has the GIL of this copy, in which the objects are alive.
        unsafe {
            if loaded.is_none() {
                *loaded = Probe::load(&self.walk.heap.capi, source);
            }
            let Some(probe) = loaded else {
                return self.send(outbox, index, &Shown::new(ObjectText::new(), Note::Raised));
            };
            probe.begin(self.objects[index]);
            while let Some(text) = probe.next() {
                self.send(outbox, index, &Shown::new(text, Note::Whole))?;
                self.walk.progress.add_told();
                // There may be many about one object.
                sys::alarm(self.object_limit_us());
            }
            Ok(())
        }
    }

    fn object_limit_us(&self) -> u64 {
        u64::from(self.how.object_time_limit_ms) * 1000
    }

    /// Writes where `tracemalloc` says that an object was made.
    fn made_at(&self, object: usize, text: &mut MadeAtText) {
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let layout = &heap.layout;
        if !heap.capi.has(Capi::_PyTraceMalloc_GetTraceback) {
            return;
        }
        let type_object = layout.type_of(memory, object);
        let block = object - layout.size_before(layout.flags(memory, type_object));
        // SAFETY: this thread has the GIL of this copy, whose end frees the result.
        let frames = unsafe { heap.capi.made_at(0, block) } as usize;
        if frames == 0 {
            // SAFETY: as above.
            return unsafe { heap.capi.clear_error() };
        }
        let tuple_type = heap.capi.address(Capi::PyTuple_Type);
        let is_pair = |frame: usize| {
            layout.type_of(memory, frame) == tuple_type && layout.size_field(memory, frame) == 2
        };
        if layout.type_of(memory, frames) != tuple_type {
            return;
        }
        for index in 0..layout.size_field(memory, frames).max(0) as usize {
            let frame = memory.word(frames + layout.tuple_items + index * 8);
            if !is_pair(frame) {
                return;
            }
            let [file, line] = [0, 8].map(|at| memory.word(frame + layout.tuple_items + at));
            if index > 0 {
                text.push('\n');
            }
            let file = Text::of(layout, memory, file);
            file.chars().for_each(|character| text.push(character));
            let digits = layout.header + 8;
            let _ = write!(text, ":{}", memory.half(line + digits));
        }
    }

    fn repr(&self, object: usize) -> Shown {
        let mut text = ObjectText::new();
        let (heap, memory) = (self.walk.heap, self.walk.memory);
        let type_object = heap.layout.type_of(memory, object);
        // SAFETY: this thread has the GIL of this copy, and the object was alive when it was made.
        if unsafe { write_repr(&heap.capi, object, &mut text) } {
            return Shown::new(text, Note::Whole);
        }
        text.push_str("Failed to serialize ");
        // SAFETY: as above; a type is alive as long as its objects are.
        if !unsafe { write_repr(&heap.capi, type_object, &mut text) } {
            text.push_str("<class '");
            text.push_str(self.type_name(object).as_str());
            text.push_str("'>");
        }
        Shown::new(text, Note::Raised)
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
        let max_chars = match self.how.max_chars {
            0 => usize::MAX,
            max_chars => max_chars as usize,
        };
        let whole = shown.text.as_str();
        let most_bytes = if self.is_described {
            MOST_DESCRIBED
        } else {
            usize::MAX
        };
        let end = whole
            .char_indices()
            .enumerate()
            .find(|(index, (at, character))| {
                *index == max_chars || at + character.len_utf8() > most_bytes
            })
            .map_or(whole.len(), |(_, (at, _))| at);
        let text = &whole[..end];
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
        if !self.is_described {
            return outbox.put(&Reply::Object(object), &mut Budget::new(u64::MAX));
        }
        let mut file = FileText::new();
        // SAFETY: this thread has the GIL of this copy.
        let modules = unsafe { heap.capi.modules() } as usize;
        if let Some(text) = source_file::of(heap, memory, modules, self.objects[index]) {
            text.chars().for_each(|character| file.push(character));
        }
        let described = Described {
            object,
            file: file.as_str(),
            made_at: shown.made_at.as_str(),
        };
        outbox.put(&Reply::Described(described), &mut Budget::new(u64::MAX))
    }
}

/// Appends `repr(object)`; `false` when it raised.
///
/// # Safety
/// The caller holds the GIL, and `object` is alive.
unsafe fn write_repr(capi: &CApi, object: usize, text: &mut ObjectText) -> bool {
    // SAFETY: the caller holds the GIL; each result is checked.
    unsafe {
        let object = as_object(object);
        capi.incref(object);
        let repr = capi.repr(object);
        capi.decref(object);
        if repr.is_null() {
            capi.clear_error();
            return false;
        }
        write_str(capi, repr, text)
    }
}

/// Appends a `str`, whose reference it takes; `false` when it cannot be encoded.
///
/// # Safety
/// The caller holds the GIL.
pub(crate) unsafe fn write_str(capi: &CApi, repr: Object, text: &mut ObjectText) -> bool {
    // SAFETY: the caller holds the GIL; each result is checked, and its reference given back.
    unsafe {
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
