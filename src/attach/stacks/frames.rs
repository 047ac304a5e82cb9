//! The frames of a thread that may run on while they are read.

use std::collections::BTreeMap;

use leakhunt_wire::NewFrame;

use super::Frame;
use super::code::CodeText;
use super::objects::{Objects, is_address};

/// The most frames of a thread that are read.
pub(super) const MOST_FRAMES: usize = 1000;
/// How often a thread's frames are read until two readings agree.
const TRIES: usize = 8;

/// No code needs a larger value stack.
const MOST_VALUES: u32 = 10_000;

/// A frame as it stands in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RawFrame {
    /// Where it is.
    pub(super) address: u64,
    pub(super) code: u64,
    /// The place of the instruction in the code, in bytes.
    instruction: i64,
    /// Where it is kept: up to 3.10 while the frame is traced.
    line: Option<u32>,
}

/// The frames of a thread.
#[derive(Debug, Default)]
pub(super) struct Stack {
    /// Newest first.
    pub(super) raw: Vec<RawFrame>,
    pub(super) frames: Vec<Frame>,
    /// No two readings agreed: frames of different moments may be mixed.
    pub(super) is_torn: bool,
    /// There are more than [`MOST_FRAMES`].
    pub(super) is_cut: bool,
}

/// Code objects that were read: address by what they say.
pub(super) type Codes = BTreeMap<u64, Option<CodeText>>;

/// The frames of the thread with this state.
pub(super) fn stack_of(objects: &Objects<'_>, state: u64, codes: &mut Codes) -> Stack {
    let mut stack = Stack::default();
    for _ in 0..TRIES {
        let first = raw_frames(objects, state);
        stack = described(objects, &first, codes);
        let second = raw_frames(objects, state);
        let is_same = first.is_whole
            && first.frames.len() == second.frames.len()
            && first
                .frames
                .iter()
                .zip(&second.frames)
                .all(|(one, other)| one.address == other.address && one.code == other.code);
        if is_same && !stack.is_torn {
            return stack;
        }
        // What was taken for a code object may have been something else.
        codes.retain(|_, code| code.is_some());
    }
    stack.is_torn = true;
    stack
}

struct RawStack {
    frames: Vec<RawFrame>,
    /// Its end was reached, or the bound.
    is_whole: bool,
    is_cut: bool,
}

fn raw_frames(objects: &Objects<'_>, state: u64) -> RawStack {
    let mut stack = RawStack {
        frames: Vec::new(),
        is_whole: false,
        is_cut: false,
    };
    let Some(mut frame) = newest(objects, state) else {
        return stack;
    };
    // Frames that are none of Python code come between.
    for _ in 0..2 * MOST_FRAMES {
        if frame == 0 {
            stack.is_whole = true;
            return stack;
        }
        let Some((raw, previous)) = raw_frame(objects, frame) else {
            return stack;
        };
        if let Some(raw) = raw {
            if stack.frames.len() == MOST_FRAMES {
                break;
            }
            stack.frames.push(raw);
        }
        frame = previous;
    }
    stack.is_whole = true;
    stack.is_cut = true;
    stack
}

fn newest(objects: &Objects<'_>, state: u64) -> Option<u64> {
    let layout = objects.layout;
    let frame = objects.pointer(state + layout.thread.frame as u64)?;
    match leakhunt_wire::ThreadState::frame_in_between(layout.minor) {
        Some(inner) => objects.word(frame + inner as u64),
        None => Some(frame),
    }
}

/// A frame, where it is one of Python code that has begun, and the one that called it.
fn raw_frame(objects: &Objects<'_>, frame: u64) -> Option<(Option<RawFrame>, u64)> {
    if !frame.is_multiple_of(8) || !is_address(frame) {
        return None;
    }
    if objects.layout.minor <= 10 {
        let (raw, previous) = old_frame(objects, frame)?;
        return Some((Some(raw), previous));
    }
    new_frame(objects, frame)
}

fn old_frame(objects: &Objects<'_>, frame: u64) -> Option<(RawFrame, u64)> {
    let at = objects.layout.old_frame();
    let head = objects.bytes(frame, at.running as u64)?;
    let last = half_at(&head, at.last_instruction)?.cast_signed();
    let line = half_at(&head, at.line)?;
    let (instruction, line) = if objects.layout.minor == 10 {
        let instruction = i64::from(last) * if last < 0 { 1 } else { 2 };
        (instruction, (line != 0).then_some(line))
    } else {
        let is_traced = word_at(&head, at.trace)? != 0;
        (i64::from(last), is_traced.then_some(line))
    };
    let raw = RawFrame {
        address: frame,
        code: word_at(&head, at.code).filter(|&code| is_address(code))?,
        instruction,
        line,
    };
    Some((raw, word_at(&head, at.back)?))
}

fn new_frame(objects: &Objects<'_>, frame: u64) -> Option<(Option<RawFrame>, u64)> {
    let layout = objects.layout;
    let at = layout.new_frame();
    let head = objects.bytes(frame, at.first_local as u64)?;
    let previous = word_at(&head, at.previous)?;
    let owner = *head.get(at.owner)?;
    if layout.minor >= 12 && owner >= NewFrame::FIRST_SENTINEL {
        return Some((None, previous));
    }
    // From 3.13 on the lowest bits say how the reference is counted.
    let code = word_at(&head, at.code)? & if layout.minor >= 13 { !7 } else { !0 };
    if !is_address(code) {
        return None;
    }
    let instruction = word_at(&head, at.instruction)?;
    let mut first = code + layout.code.instructions;
    let first_traceable = objects.half(code + layout.code.first_traceable)?;
    if let Some(copies) = layout.code.copies {
        // The first copy is the one in the code object.
        let copy = half_at(&head, at.code_copy)?;
        let copies = objects.pointer(code + copies)?;
        if copies != 0 && copy != 0 {
            first = objects.word(copies + 8 + u64::from(copy) * 8)?;
        }
    }
    let instruction = instruction.wrapping_sub(first).cast_signed();
    const IN_A_GENERATOR: u8 = 1;
    let has_begun = owner == IN_A_GENERATOR || instruction >= i64::from(first_traceable) * 2;
    let raw = RawFrame {
        address: frame,
        code,
        instruction,
        line: None,
    };
    Some((has_begun.then_some(raw), previous))
}

fn described(objects: &Objects<'_>, raw: &RawStack, codes: &mut Codes) -> Stack {
    let minor = objects.layout.minor;
    let mut stack = Stack {
        raw: raw.frames.clone(),
        is_cut: raw.is_cut,
        ..Stack::default()
    };
    for frame in &raw.frames {
        let code = codes
            .entry(frame.code)
            .or_insert_with(|| CodeText::read(objects, frame.code));
        let Some(code) = code else {
            stack.is_torn = true;
            return stack;
        };
        stack.frames.push(Frame {
            name: code.name.clone(),
            qualified_name: code.qualified_name.clone(),
            file: code.file.clone(),
            line: frame.line.or_else(|| code.line(minor, frame.instruction)),
            locals: Vec::new(),
        });
    }
    stack
}

/// What stands in the places of a frame.
pub(super) struct Values {
    /// The variables, in the order of their names.
    pub(super) locals: Vec<u64>,
    /// The values that instructions work on. Up to 3.13 it is not known how many there are while
    /// a frame runs: what is above may be left from before.
    pub(super) stack: Vec<u64>,
}

/// `None` where they cannot be read.
pub(super) fn values(objects: &Objects<'_>, frame: &RawFrame) -> Option<Values> {
    let layout = objects.layout;
    let n_locals: usize = local_names(objects, frame.code).len();
    let n_stack = objects.half(frame.code + layout.code.stack_size)?;
    if n_stack > MOST_VALUES {
        return None;
    }
    let (first_local, first_value) = if layout.minor <= 10 {
        let at = layout.old_frame();
        let value_stack = objects.word(frame.address + at.value_stack as u64)?;
        (frame.address + at.first_local as u64, value_stack)
    } else {
        let first = frame.address + layout.new_frame().first_local as u64;
        (first, first + n_locals as u64 * 8)
    };
    let mut stack = objects.words(first_value, n_stack.into())?;
    if layout.minor >= 14 {
        // It is kept for each call into C.
        let top = objects.word(frame.address + layout.new_frame().stack_top as u64)?;
        let height = top.wrapping_sub(first_value) / 8;
        stack.truncate(usize::try_from(height).unwrap_or(usize::MAX));
    }
    Some(Values {
        locals: objects.words(first_local, n_locals as u64)?,
        stack,
    })
}

/// The `str` objects that the variables of a code object are called by.
pub(super) fn local_names(objects: &Objects<'_>, code: u64) -> Vec<u64> {
    let offsets = objects.layout.code.local_names;
    let names = offsets
        .iter()
        .filter(|&&offset| offset != 0)
        .filter_map(|offset| objects.tuple(objects.word(code + offset)?));
    names.flatten().collect()
}

fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

fn half_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}
