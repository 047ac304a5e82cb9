//! Where CPython keeps threads and their frames: offsets in bytes, of 64-bit builds, read from the
//! headers of 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.0, 3.14.10 and 3.15.2 with `offsetof`.
//!
//! In 3.8 to 3.10 frames are objects; later they are structures on a stack of each thread's, in a
//! generator or in a frame object. The agent reads them from inside, `attach` from outside.

/// Offsets in a frame object of 3.8 to 3.10. It holds references to all that it refers to.
#[derive(Clone, Copy, Debug)]
pub struct OldFrame {
    /// The frame that called it.
    pub back: usize,
    /// The code object.
    pub code: usize,
    /// `__builtins__` as a dict.
    pub builtins: usize,
    /// The globals.
    pub globals: usize,
    /// The dict of locals, where one was asked for.
    pub locals: usize,
    /// The pointer to the first place of the value stack.
    pub value_stack: usize,
    /// The trace function; while there is one, `line` is valid up to 3.9.
    pub trace: usize,
    /// Up to 3.9 the pointer behind the last value, in 3.10 their number in four bytes.
    pub stack_top: usize,
    /// The number of the last instruction that began, in four bytes: up to 3.9 in bytes, in 3.10 in
    /// instructions of two bytes.
    pub last_instruction: usize,
    /// The line, where it is kept; in four bytes. In 3.10 it is 0 where it is not.
    pub line: usize,
    /// A byte, and its value while the frame runs.
    pub running: usize,
    /// That value.
    pub running_value: i8,
    /// The first of the local variables.
    pub first_local: usize,
}

/// Offsets in a `_PyInterpreterFrame` of 3.11 on.
#[derive(Clone, Copy, Debug)]
pub struct NewFrame {
    /// The code object.
    pub code: usize,
    /// The frame that called it.
    pub previous: usize,
    /// The function object.
    pub function: usize,
    /// The dict of locals, where there is one.
    pub locals: usize,
    /// The frame object, where one was asked for.
    pub object: usize,
    /// The pointer to the instruction: up to 3.12 to the end of the last, later to the one that runs.
    pub instruction: usize,
    /// Up to 3.13 the number of locals and values in four bytes, later the pointer behind the last.
    pub stack_top: usize,
    /// Free-threaded builds of 3.14 on: which copy of the code the instruction is in, in four bytes.
    pub code_copy: usize,
    /// Who owns it, in a byte.
    pub owner: usize,
    /// The first of the local variables; the length of what is before them.
    pub first_local: usize,
}

impl OldFrame {
    /// Of 3.`minor`.
    pub fn of(minor: u32) -> Self {
        let is_310 = minor == 10;
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
            line: if is_310 { 100 } else { 108 },
            running: if is_310 { 108 } else { 116 },
            running_value: if is_310 { 0 } else { 1 },
            first_local: if is_310 { 352 } else { 360 },
        }
    }
}

impl NewFrame {
    /// Who owns the frame of a frame object that outlived its call.
    pub const OWNED_BY_FRAME_OBJECT: u8 = 2;
    /// From this owner on it is no frame that runs Python code.
    pub const FIRST_SENTINEL: u8 = 3;

    /// Of 3.`minor`.
    pub fn of(minor: u32, is_free_threaded: bool) -> Self {
        if minor == 11 {
            return Self {
                code: 32,
                previous: 48,
                function: 0,
                locals: 24,
                object: 40,
                instruction: 56,
                stack_top: 64,
                code_copy: 0,
                owner: 69,
                first_local: 72,
            };
        }
        Self {
            code: 0,
            previous: 8,
            function: 16,
            locals: 40,
            object: 48,
            instruction: 56,
            stack_top: 64,
            code_copy: 72,
            owner: match minor {
                12 | 13 => 70,
                // The number of the copy of the code comes before it.
                _ if is_free_threaded => 78,
                _ => 74,
            },
            first_local: if minor >= 14 { 80 } else { 72 },
        }
    }
}

/// Offsets in a `PyThreadState`. `prev`, `next` and `interp` are its first fields, up to 3.15.
#[derive(Clone, Copy, Debug)]
pub struct ThreadState {
    /// Up to 3.10 and from 3.13 on the newest frame, between them what points to it.
    pub frame: usize,
    /// What `threading.get_ident()` answers: the `pthread_t`.
    pub thread_id: usize,
    /// The number that the kernel has for it; from 3.11.
    pub native_id: Option<usize>,
    /// `c_profileobj`; `c_traceobj` and the current exception follow.
    pub profile: usize,
    /// The dict of what C code keeps for a thread.
    pub dict: usize,
    /// The exception that another thread sent.
    pub async_exception: usize,
    /// The exception that is handled.
    pub handled: usize,
    /// `async_gen_firstiter`; `async_gen_finalizer` and `context` follow.
    pub hooks: usize,
}

impl ThreadState {
    /// Where glibc keeps the number that the kernel has for a thread, in the `struct pthread` that a
    /// `pthread_t` points to: up to 3.10 there is no other place for it.
    pub const NATIVE_ID_IN_GLIBC: usize = 720;

    /// Of 3.`minor`.
    pub fn of(minor: u32) -> Self {
        let [
            frame,
            thread_id,
            native_id,
            profile,
            dict,
            async_exception,
            handled,
            hooks,
        ] = match minor {
            ..=10 => [24, 176, 0, 72, 152, 168, 112, 224],
            11 => [56, 152, 160, 80, 128, 144, 320, 208],
            12 => [56, 136, 144, 80, 112, 128, 256, 192],
            13 | 14 => [72, 152, 160, 96, 128, 144, 256, 192],
            _ => [72, 176, 184, 120, 152, 168, 288, 216],
        };
        Self {
            frame,
            thread_id,
            native_id: (native_id != 0).then_some(native_id),
            profile,
            dict,
            async_exception,
            handled,
            hooks,
        }
    }

    /// In 3.11 and 3.12 a structure of the C stack's stands between a thread's state and its newest
    /// frame: where in it the frame is.
    pub fn frame_in_between(minor: u32) -> Option<usize> {
        match minor {
            11 => Some(8),
            12 => Some(0),
            _ => None,
        }
    }
}
