//! The frames that run, or wait for those that they called, and the frame objects.

use leakhunt_wire::{Capi, LabelKind};

use crate::graph::code::LocalNames;
use crate::graph::edges::EdgeSink;
use crate::graph::frame_layout::{NewFrame, OldFrame};
use crate::graph::threads;
use crate::heap::Heap;
use crate::memory::Memory;

/// No thread has more frames.
const MOST_FRAMES: usize = 5_000_000;

/// A frame of a thread's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunningFrame {
    /// The thread's native id; 0 where it is not known.
    pub(crate) thread: u64,
    /// Where it is. Up to 3.10 it is an object, of the type `frame`, which may be met elsewhere, too.
    pub(crate) frame: usize,
    /// The code that it runs.
    pub(crate) code: usize,
}

/// Hands on the frames of all threads but the agent's, each thread's newest first.
pub(crate) fn each_running(heap: &Heap, memory: Memory, see: &mut dyn FnMut(RunningFrame)) {
    let layout = &heap.layout;
    let (code_at, back_at) = if layout.minor <= 10 {
        let offsets = OldFrame::of(layout.minor);
        (offsets.code, offsets.back)
    } else {
        let offsets = NewFrame::of(layout.minor, layout.is_free_threaded);
        (offsets.code, offsets.previous)
    };
    threads::each(heap, memory, &mut |thread| {
        let mut frame = thread.frame;
        for _ in 0..MOST_FRAMES {
            if frame == 0 || !frame.is_multiple_of(8) {
                return;
            }
            if !is_sentinel(heap, memory, frame) {
                let (code, _) = reference(heap, memory.word(frame + code_at));
                if !is_code(heap, memory, code) {
                    return;
                }
                see(RunningFrame {
                    thread: thread.native_id,
                    frame,
                    code,
                });
            }
            frame = memory.word(frame + back_at);
        }
    });
}

/// Hands on what a running frame refers to.
pub(crate) fn references(
    heap: &Heap,
    memory: Memory,
    running: RunningFrame,
    sink: &mut dyn EdgeSink,
) {
    if heap.layout.minor <= 10 {
        old_references(heap, memory, running.frame, sink);
    } else {
        new_references(heap, memory, running.frame, true, sink);
    }
}

/// Hands on what a frame object refers to. From 3.11 on the frame of it that still runs, or is a
/// generator's, has its references by itself.
pub(crate) fn object_references(
    heap: &Heap,
    memory: Memory,
    object: usize,
    sink: &mut dyn EdgeSink,
) {
    let layout = &heap.layout;
    if layout.minor <= 10 {
        return old_references(heap, memory, object, sink);
    }
    let fields: [(&[u8], usize, u32); 5] = [
        (b"f_back", 0, 11),
        (b"f_trace", 16, 11),
        (b"f_extra_locals", 32, 13),
        (b"f_locals_cache", 40, 13),
        (b"f_overwritten_fast_locals", 48, 14),
    ];
    for (name, offset, since) in fields {
        if layout.minor >= since {
            let kind = if since == 11 {
                LabelKind::Attribute
            } else {
                LabelKind::Internal
            };
            let target = memory.word(object + layout.header + offset);
            named(sink, kind, name, (target, true));
        }
    }
    let frame = memory.word(object + layout.header + 8);
    let owner = NewFrame::of(layout.minor, layout.is_free_threaded).owner;
    if frame != 0 && memory.byte(frame + owner) == NewFrame::OWNED_BY_FRAME_OBJECT {
        new_references(heap, memory, frame, false, sink);
    }
}

fn old_references(heap: &Heap, memory: Memory, frame: usize, sink: &mut dyn EdgeSink) {
    let layout = &heap.layout;
    let offsets = OldFrame::of(layout.minor);
    let code = memory.word(frame + offsets.code);
    let fields: [(&[u8], usize); 6] = [
        (b"f_back", offsets.back),
        (b"f_code", offsets.code),
        (b"f_builtins", offsets.builtins),
        (b"f_globals", offsets.globals),
        (b"f_locals", offsets.locals),
        (b"f_trace", offsets.trace),
    ];
    for (name, offset) in fields {
        let target = memory.word(frame + offset);
        named(sink, LabelKind::Attribute, name, (target, true));
    }
    if !is_code(heap, memory, code) {
        return;
    }
    let names = LocalNames::of(heap, memory, code);
    let first_local = frame + offsets.first_local;
    let n_locals = names.len(heap, memory);
    locals(heap, memory, &names, first_local, n_locals, sink);
    let first_value = memory.word(frame + offsets.value_stack);
    let n_values = if layout.minor == 10 {
        memory.half(frame + offsets.stack_top) as i32 as isize
    } else {
        let top = memory.word(frame + offsets.stack_top);
        top.wrapping_sub(first_value) as isize / 8
    };
    values(heap, memory, code, first_value, n_values, sink);
}

/// What a frame of 3.11 on refers to. `is_running`: it is one of a thread's frames, whose stack may
/// be in use, so that its height is not known.
pub(crate) fn new_references(
    heap: &Heap,
    memory: Memory,
    frame: usize,
    is_running: bool,
    sink: &mut dyn EdgeSink,
) {
    let layout = &heap.layout;
    let offsets = NewFrame::of(layout.minor, layout.is_free_threaded);
    let code = reference(heap, memory.word(frame + offsets.code));
    let fields: [(&[u8], usize); 3] = [
        (b"function", offsets.function),
        (b"f_locals", offsets.locals),
        (b"frame object", offsets.object),
    ];
    named(sink, LabelKind::Attribute, b"f_code", code);
    for (name, offset) in fields {
        let target = reference(heap, memory.word(frame + offset));
        named(sink, LabelKind::Internal, name, target);
    }
    let (code, _) = code;
    if !is_code(heap, memory, code) {
        return;
    }
    let names = LocalNames::of(heap, memory, code);
    let n_names = names.len(heap, memory);
    let first_local = frame + offsets.first_local;
    let top = if layout.minor <= 13 {
        memory.half(frame + offsets.stack_top) as i32 as isize
    } else {
        match memory.word(frame + offsets.stack_top) {
            0 => -1,
            top => top.wrapping_sub(first_local) as isize / 8,
        }
    };
    let n_locals = match usize::try_from(top) {
        Ok(top) => top.min(n_names),
        Err(_) if is_running => n_names,
        Err(_) => 0,
    };
    locals(heap, memory, &names, first_local, n_locals, sink);
    let first_value = first_local + n_names * 8;
    let n_values = top.saturating_sub_unsigned(n_names);
    values(heap, memory, code, first_value, n_values, sink);
}

/// The reference to its code at a place of a frame that has no others left.
pub(crate) fn code_reference(heap: &Heap, memory: Memory, place: usize, sink: &mut dyn EdgeSink) {
    let code = reference(heap, memory.word(place));
    named(sink, LabelKind::Attribute, b"f_code", code);
}

fn locals(
    heap: &Heap,
    memory: Memory,
    names: &LocalNames,
    first: usize,
    n_locals: usize,
    sink: &mut dyn EdgeSink,
) {
    for place in 0..n_locals {
        let (target, is_owned) = reference(heap, memory.word(first + place * 8));
        if target == 0 || sink.is_full() {
            continue;
        }
        match names.get(heap, memory, place) {
            Some(name) if is_owned => sink.named_by(LabelKind::Local, name, target),
            Some(name) => sink.borrowed_by(LabelKind::Local, name, target),
            None => named(sink, LabelKind::Internal, b"local", (target, is_owned)),
        }
    }
}

fn values(
    heap: &Heap,
    memory: Memory,
    code: usize,
    first: usize,
    n_values: isize,
    sink: &mut dyn EdgeSink,
) {
    let most = memory.half(code + heap.layout.co_stacksize) as usize;
    let Ok(n_values) = usize::try_from(n_values) else {
        return;
    };
    if n_values > most {
        return;
    }
    for place in 0..n_values {
        let target = reference(heap, memory.word(first + place * 8));
        named(sink, LabelKind::Internal, b"stack", target);
    }
}

fn named(sink: &mut dyn EdgeSink, kind: LabelKind, name: &[u8], (target, is_owned): (usize, bool)) {
    if target == 0 {
        return;
    }
    if is_owned {
        sink.named(kind, name, target);
    } else {
        sink.borrowed(kind, name, target);
    }
}

/// The object that a place of a frame refers to, and whether its count has that reference. In the
/// lowest bits of such a place there are marks, from 3.13 on in free-threaded builds, from 3.14 on in
/// all: 1 for a reference that is not counted, 2 for no object, 3 for a number.
pub(crate) fn reference(heap: &Heap, place: usize) -> (usize, bool) {
    const MARKS: usize = 3;
    if heap.layout.minor < 13 {
        return (place, true);
    }
    match place & MARKS {
        0 => (place, true),
        1 => (place & !MARKS, false),
        _ => (0, true),
    }
}

fn is_sentinel(heap: &Heap, memory: Memory, frame: usize) -> bool {
    heap.layout.minor >= 12
        && memory.byte(frame + NewFrame::of(heap.layout.minor, heap.layout.is_free_threaded).owner)
            >= NewFrame::FIRST_SENTINEL
}

fn is_code(heap: &Heap, memory: Memory, code: usize) -> bool {
    code != 0 && heap.layout.type_of(memory, code) == heap.capi.address(Capi::PyCode_Type)
}
