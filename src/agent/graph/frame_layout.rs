//! Where frames keep what: in 3.8 to 3.10 objects, later structures on a stack of each thread's, in a
//! generator or in a frame object. Offsets as those of [`crate::layout`], by `offsetof`.

use crate::layout::Layout;

/// Offsets in a frame object of 3.8 to 3.10. It holds references to all that it refers to.
pub(crate) struct OldFrame {
    pub(crate) back: usize,
    pub(crate) code: usize,
    pub(crate) builtins: usize,
    pub(crate) globals: usize,
    pub(crate) locals: usize,
    /// The pointer to the first place of the value stack.
    pub(crate) value_stack: usize,
    pub(crate) trace: usize,
    /// Up to 3.9 the pointer behind the last value, in 3.10 their number in four bytes.
    pub(crate) stack_top: usize,
    /// The number of the last instruction that began, in four bytes.
    pub(crate) last_instruction: usize,
    /// A byte, and its value while the frame runs.
    pub(crate) running: usize,
    pub(crate) running_value: i8,
    pub(crate) first_local: usize,
}

/// Offsets in a `_PyInterpreterFrame` of 3.11 on.
pub(crate) struct NewFrame {
    pub(crate) code: usize,
    pub(crate) previous: usize,
    pub(crate) function: usize,
    pub(crate) locals: usize,
    pub(crate) object: usize,
    /// The pointer to the last instruction that began; from 3.13 on to the one to go on with.
    pub(crate) instruction: usize,
    /// Up to 3.13 the number of locals and values in four bytes, later the pointer behind the last.
    pub(crate) stack_top: usize,
    pub(crate) owner: usize,
    pub(crate) first_local: usize,
}

/// Who owns a `_PyInterpreterFrame`. From 3 on it is none that runs Python code.
pub(crate) const OWNED_BY_FRAME_OBJECT: u8 = 2;
pub(crate) const FIRST_SENTINEL: u8 = 3;

impl OldFrame {
    pub(crate) fn of(layout: &Layout) -> Self {
        let is_310 = layout.minor == 10;
        Self {
            back: 24,
            code: 32,
            builtins: 40,
            globals: 48,
            locals: 56,
            value_stack: 64,
            trace: if is_310 { 72 } else { 80 },
            stack_top: if is_310 { 80 } else { 72 },
            last_instruction: if is_310 { 96 } else { 104 },
            running: if is_310 { 108 } else { 116 },
            running_value: if is_310 { 0 } else { 1 },
            first_local: if is_310 { 352 } else { 360 },
        }
    }
}

impl NewFrame {
    pub(crate) fn of(layout: &Layout) -> Self {
        if layout.minor == 11 {
            return Self {
                code: layout.frame_code,
                previous: 48,
                function: 0,
                locals: 24,
                object: 40,
                instruction: 56,
                stack_top: 64,
                owner: 69,
                first_local: layout.frame_head,
            };
        }
        Self {
            code: layout.frame_code,
            previous: 8,
            function: 16,
            locals: 40,
            object: 48,
            instruction: 56,
            stack_top: 64,
            owner: match layout.minor {
                12 | 13 => 70,
                // Free-threaded builds have an index of four bytes before it.
                _ if layout.is_free_threaded => 78,
                _ => 74,
            },
            first_local: layout.frame_head,
        }
    }
}

/// Offsets in a generator, a coroutine or an asynchronous generator.
pub(crate) struct Generator {
    /// Up to 3.10: the frame object.
    pub(crate) frame_object: usize,
    /// Up to 3.11.
    pub(crate) code: usize,
    pub(crate) name: usize,
    /// The exception that it handles: up to 3.10 type, value and traceback, later the value.
    pub(crate) exception: usize,
    pub(crate) n_exception: usize,
    /// `cr_origin` of a coroutine, `ag_finalizer` of an asynchronous generator.
    pub(crate) origin: usize,
    /// From 3.11: a byte, its value while the generator runs, and the one of a cleared frame.
    pub(crate) state: usize,
    pub(crate) running: i8,
    pub(crate) cleared: i8,
}

impl Generator {
    pub(crate) fn of(layout: &Layout) -> Self {
        let more = layout.header - 16;
        let (code, name, exception, n_exception, origin) = match layout.minor {
            8 | 9 => (32, 48, 64, 3, 96),
            10 => (24, 40, 56, 3, 88),
            11 => (16, 32, 48, 1, 64),
            _ => (0, 24 + more, 40 + more, 1, 56 + more),
        };
        let (running, cleared) = if layout.minor >= 15 { (4, 5) } else { (0, 4) };
        Self {
            frame_object: 16,
            code,
            name,
            exception,
            n_exception,
            origin,
            state: layout.generator_frame - 5,
            running,
            cleared,
        }
    }
}
