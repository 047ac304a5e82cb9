//! What generators, coroutines and asynchronous generators refer to.

use leakhunt_wire::{Capi, LabelKind};

use crate::graph::edges::EdgeSink;
use crate::graph::frame_layout::{Generator, NewFrame};
use crate::graph::frames;
use crate::heap::Heap;
use crate::memory::Memory;

/// Hands on what a generator refers to. While it runs, what its frame refers to is left to the record
/// of that frame, which is among the running ones.
pub(crate) fn references(heap: &Heap, memory: Memory, generator: usize, sink: &mut dyn EdgeSink) {
    let layout = &heap.layout;
    let offsets = Generator::of(layout);
    let mut field = |kind, name: &[u8], offset: usize| {
        let target = memory.word(generator + offset);
        if target != 0 {
            sink.named(kind, name, target);
        }
    };
    field(LabelKind::Attribute, b"__name__", offsets.name);
    field(LabelKind::Attribute, b"__qualname__", offsets.name + 8);
    for part in 0..offsets.n_exception {
        let offset = offsets.exception + part * 8;
        field(LabelKind::Internal, b"handled exception", offset);
    }
    if offsets.code != 0 {
        field(LabelKind::Internal, b"code", offsets.code);
    }
    // A plain generator of up to 3.10 ends before this field.
    let has_origin = [Capi::PyCoro_Type, Capi::PyAsyncGen_Type]
        .map(|symbol| heap.capi.address(symbol))
        .contains(&layout.type_of(memory, generator));
    if has_origin {
        field(LabelKind::Internal, b"origin", offsets.origin);
    }
    if layout.minor <= 10 {
        return field(LabelKind::Internal, b"frame", offsets.frame_object);
    }
    let frame = generator + layout.generator_frame;
    let state = memory.byte(generator + offsets.state) as i8;
    if state == offsets.running {
        return;
    }
    if state < offsets.cleared {
        return frames::new_references(heap, memory, frame, false, sink);
    }
    // From 3.12 on the code outlives the frame.
    if layout.minor >= 12 {
        frames::code_reference(
            heap,
            memory,
            frame + NewFrame::of(layout.minor, layout.is_free_threaded).code,
            sink,
        );
    }
}
