//! In which line a suspended function waits.

use leakhunt_wire::{Capi, line_of};

use crate::graph::frame_layout::{Generator, NewFrame, OldFrame};
use crate::graph::{code, frames};
use crate::heap::Heap;
use crate::memory::Memory;

/// The line of a generator, coroutine or asynchronous generator that is suspended; `None` where it has
/// none, or runs a copy of its code (builds without the GIL).
pub(crate) fn of_suspended(heap: &Heap, memory: Memory, generator: usize) -> Option<u64> {
    let layout = &heap.layout;
    let (code, instruction) = if layout.minor <= 10 {
        let frame = memory.word(generator + Generator::of(layout).frame_object);
        let offsets = OldFrame::of(layout.minor);
        // From 3.10 on it is counted in words of two bytes.
        let unit = if layout.minor == 10 { 2 } else { 1 };
        let last = memory.half(frame + offsets.last_instruction).cast_signed();
        (memory.word(frame + offsets.code), i64::from(last) * unit)
    } else {
        let offsets = NewFrame::of(layout.minor, layout.is_free_threaded);
        let frame = generator + layout.generator_frame;
        let (code, _) = frames::reference(heap, memory.word(frame + offsets.code));
        let code_type = heap.capi.address(Capi::PyCode_Type);
        let first = code + layout.basic_size(memory, code_type);
        let instruction = memory.word(frame + offsets.instruction);
        (code, instruction.wrapping_sub(first).cast_signed() as i64)
    };
    let first_line = code::number(heap, memory, code, b"co_firstlineno")?;
    let table = [&b"co_linetable"[..], b"co_lnotab"]
        .into_iter()
        .find_map(|name| layout.member(memory, heap.capi.address(Capi::PyCode_Type), name))?;
    let table = memory.word(code + table);
    if table == 0 || layout.type_of(memory, table) != heap.capi.address(Capi::PyBytes_Type) {
        return None;
    }
    let len = usize::try_from(layout.size_field(memory, table)).ok()?;
    let bytes = memory.bytes(table + layout.header + 16, len);
    let first_line = i32::try_from(first_line).ok()?;
    let line = line_of(layout.minor, bytes, first_line, instruction)?;
    u64::try_from(line).ok()
}
