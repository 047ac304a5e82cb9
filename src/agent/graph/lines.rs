//! In which line a suspended function waits.
//!
//! The tables are those of `Objects/lnotab_notes.txt` (up to 3.9), PEP 626 (3.10) and
//! `Objects/locations.md` (3.11 on).

use leakhunt_wire::Capi;

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
        let offsets = OldFrame::of(layout);
        // From 3.10 on it is counted in words of two bytes.
        let unit = if layout.minor == 10 { 2 } else { 1 };
        let instruction = memory.half(frame + offsets.last_instruction) as usize * unit;
        (memory.word(frame + offsets.code), instruction)
    } else {
        let offsets = NewFrame::of(layout);
        let frame = generator + layout.generator_frame;
        let (code, _) = frames::reference(heap, memory.word(frame + offsets.code));
        let code_type = heap.capi.address(Capi::PyCode_Type);
        let first = code + layout.basic_size(memory, code_type);
        let instruction = memory.word(frame + offsets.instruction);
        (code, instruction.checked_sub(first)?)
    };
    let first_line = code::number(heap, memory, code, b"co_firstlineno")?;
    let table = [&b"co_linetable"[..], b"co_lnotab"]
        .into_iter()
        .find_map(|name| layout.member(memory, heap.capi.address(Capi::PyCode_Type), name))?;
    let table = memory.word(code + table);
    if table == 0 || layout.type_of(memory, table) != heap.capi.address(Capi::PyBytes_Type) {
        return None;
    }
    let first = table + layout.header + 16;
    let len = usize::try_from(layout.size_field(memory, table)).ok()?;
    let bytes = (first..first + len).map(|at| memory.byte(at));
    let line = match layout.minor {
        ..=9 => by_increments(bytes, instruction),
        10 => by_ranges(bytes, instruction),
        _ => by_locations(bytes, instruction),
    }?;
    u64::try_from(line + first_line as i64).ok()
}

/// Up to 3.9: each pair is how far the next line's first instruction is, and how many lines.
fn by_increments(mut bytes: impl Iterator<Item = u8>, instruction: usize) -> Option<i64> {
    let (mut at, mut line) = (0, 0);
    while let (Some(step), Some(lines)) = (bytes.next(), bytes.next()) {
        at += usize::from(step);
        if at > instruction {
            break;
        }
        line += i64::from(lines as i8);
    }
    Some(line)
}

/// 3.10: each pair is how long a range of instructions is, and how many lines it is further than the
/// one before.
fn by_ranges(mut bytes: impl Iterator<Item = u8>, instruction: usize) -> Option<i64> {
    const NO_LINE: i8 = -128;
    let (mut end, mut line) = (0, 0);
    while let (Some(len), Some(lines)) = (bytes.next(), bytes.next()) {
        let lines = lines as i8;
        end += usize::from(len);
        line += i64::from(if lines == NO_LINE { 0 } else { lines });
        if instruction < end {
            return (lines != NO_LINE).then_some(line);
        }
    }
    None
}

/// 3.11 on: each entry is some words of two bytes, and where these are in the source.
fn by_locations(bytes: impl Iterator<Item = u8>, instruction: usize) -> Option<i64> {
    /// The bit that an entry's first byte has, and no other.
    const FIRST: u8 = 0x80;
    const NO_LOCATION: u8 = 15;
    let mut bytes = bytes.peekable();
    let (mut end, mut line) = (0, 0);
    while let Some(head) = bytes.next() {
        end += (usize::from(head & 7) + 1) * 2;
        let kind = head >> 3 & 15;
        line += match kind {
            11 | 12 => i64::from(kind - 10),
            13 | 14 => {
                let mut number = 0_u64;
                let mut shift = 0;
                while let Some(byte) = bytes.next_if(|byte| byte & FIRST == 0) {
                    number |= u64::from(byte & 0x3f).checked_shl(shift)?;
                    shift += 6;
                    if byte & 0x40 == 0 {
                        break;
                    }
                }
                let lines = (number >> 1) as i64;
                if number & 1 == 0 { lines } else { -lines }
            }
            _ => 0,
        };
        if instruction < end {
            return (kind != NO_LOCATION).then_some(line);
        }
        while bytes.next_if(|byte| byte & FIRST == 0).is_some() {}
    }
    None
}
