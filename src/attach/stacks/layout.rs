//! Where an interpreter keeps what is read of it from outside: one table, by version.
//!
//! Offsets in bytes, of 64-bit builds. Those of 3.8 to 3.12 were read from the headers of 3.8.18, 3.9.18,
//! 3.10.13, 3.11.7 and 3.12.1 with `offsetof`; what may move between patch levels is checked where it
//! is used, and looked for nearby. From 3.13 on `_Py_DebugOffsets` at the start of `_PyRuntime` tells
//! (`pycore_runtime.h` of 3.13.0, `pycore_debug_offsets.h` of 3.14.10 and 3.15.2). The live tests
//! compare what is read by it with `sys._current_frames()` on each interpreter found.

use leakhunt_wire::{NewFrame, OldFrame, ThreadState};

use crate::memory::Memory;

/// The layout of one interpreter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// 8 for 3.8 and so on.
    pub(super) minor: u32,
    /// Without the GIL: an object's header is 32 bytes, not 16.
    pub(super) is_free_threaded: bool,
    /// Length of `PyObject`, offset of `ob_size`.
    pub(super) header: u64,
    pub(super) runtime: Runtime,
    pub(super) thread: ThreadState,
    pub(super) code: Code,
}

/// Where the runtime has its interpreters, and these their threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runtime {
    /// In `_PyRuntime`: the newest interpreter.
    pub(super) interpreters: u64,
    /// In an interpreter: the next older one.
    pub(super) next_interpreter: u64,
    /// In an interpreter: the newest thread's state.
    pub(super) threads: u64,
    /// In an interpreter: `sys.modules`.
    pub(super) modules: u64,
    pub(super) gil: GilPlace,
}

/// Where the GIL is.
#[derive(Clone, Copy, Debug)]
pub(super) enum GilPlace {
    /// Up to 3.11: in `_PyRuntime`, before the pointer to the main interpreter that `gilstate` has.
    Runtime {
        /// Where that pointer is.
        main_interpreter: u64,
        /// How far before it the state of the thread that has the GIL is.
        holder_before: u64,
        /// How far before it the `_gil_runtime_state` is.
        gil_before: u64,
    },
    /// From 3.12 on: an interpreter has a pointer to it.
    Interpreter {
        /// Where that pointer is.
        pointer: u64,
    },
}

/// Offsets in a code object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    pub(super) file: u64,
    pub(super) name: u64,
    /// From 3.11.
    pub(super) qualified_name: Option<u64>,
    pub(super) first_line: u64,
    /// `co_lnotab` up to 3.9, `co_linetable` later.
    pub(super) line_table: u64,
    /// From 3.11: the instructions, and the number of the first that a trace sees.
    pub(super) instructions: u64,
    pub(super) first_traceable: u64,
    /// Free-threaded builds of 3.14 on: the copies of the instructions.
    pub(super) copies: Option<u64>,
    /// `co_localsplusnames`; up to 3.10 `co_varnames`, `co_cellvars`, `co_freevars`.
    pub(super) local_names: [u64; 3],
    /// Words of the value stack; four bytes.
    pub(super) stack_size: u64,
}

impl Layout {
    /// Of the interpreter whose `_PyRuntime` and `PyType_Type` are there. `None` for a version that is
    /// not known, or a build that differs.
    pub(super) fn of(memory: &Memory, minor: u32, runtime: u64, type_type: u64) -> Option<Self> {
        // The type of `type` is `type`: that tells how long a header is.
        let ob_type = [8, 24]
            .into_iter()
            .find(|at| memory.read_u64(type_type.wrapping_add(*at)).ok() == Some(type_type))?;
        let is_free_threaded = ob_type == 24;
        if is_free_threaded && minor < 13 {
            // A build with Py_TRACE_REFS: two pointers before each header.
            return None;
        }
        Some(Self {
            minor,
            is_free_threaded,
            header: ob_type + 8,
            runtime: Runtime::of(memory, minor, is_free_threaded, runtime)?,
            thread: ThreadState::of(minor),
            code: Code::of(minor, is_free_threaded),
        })
    }

    pub(super) fn old_frame(&self) -> OldFrame {
        OldFrame::of(self.minor)
    }

    pub(super) fn new_frame(&self) -> NewFrame {
        NewFrame::of(self.minor, self.is_free_threaded)
    }

    /// What stands further on in a free-threaded build.
    pub(super) fn more(&self) -> u64 {
        self.header - 16
    }
}

impl Runtime {
    fn of(memory: &Memory, minor: u32, is_free_threaded: bool, runtime: u64) -> Option<Self> {
        let in_runtime = |main_interpreter, holder_before, gil_before| GilPlace::Runtime {
            main_interpreter,
            holder_before,
            gil_before,
        };
        let (interpreters, threads, modules, gil) = match minor {
            8 => (32, 8, 56, in_runtime(1384, 16, 232)),
            9 | 10 => (32, 8, 856, in_runtime(576, 8, 224)),
            11 => (40, 16, 888, in_runtime(584, 8, 224)),
            12 => (40, 72, 944, GilPlace::Interpreter { pointer: 384 }),
            _ => return Self::of_debug_offsets(memory, minor, is_free_threaded, runtime),
        };
        Some(Self {
            interpreters,
            next_interpreter: 0,
            threads,
            modules,
            gil,
        })
    }

    /// By the table that the interpreter has for debuggers.
    fn of_debug_offsets(
        memory: &Memory,
        minor: u32,
        is_free_threaded: bool,
        runtime: u64,
    ) -> Option<Self> {
        let mut table = [0; 160];
        memory.read(runtime, &mut table).ok()?;
        let (words, _) = table.as_chunks::<8>();
        let word = |at: usize| words.get(at / 8).map(|&word| u64::from_le_bytes(word));
        let version = word(8)?;
        let is_known = &words[0] == b"xdebugpy"
            && version >> 24 == 3
            && version >> 16 & 0xff == u64::from(minor)
            && (word(16)? != 0) == is_free_threaded;
        if !is_known {
            return None;
        }
        let (modules, gil) = match minor {
            13 => (88, 112),
            14 | 15 => (96, 120),
            _ => return None,
        };
        // No structure of the interpreter is as long.
        const LARGEST: u64 = 1 << 24;
        let offset = |at: usize| word(at).filter(|&offset| offset < LARGEST);
        Some(Self {
            interpreters: offset(40)?,
            next_interpreter: offset(64)?,
            threads: offset(72)?,
            modules: offset(modules)?,
            gil: GilPlace::Interpreter {
                pointer: offset(gil)?,
            },
        })
    }
}

impl Code {
    pub(super) fn of(minor: u32, is_free_threaded: bool) -> Self {
        if minor <= 10 {
            return Self {
                file: 104,
                name: 112,
                qualified_name: None,
                first_line: 40,
                line_table: 120,
                instructions: 0,
                first_traceable: 0,
                copies: None,
                local_names: [72, 88, 80],
                stack_size: 32,
            };
        }
        let more = if is_free_threaded { 16 } else { 0 };
        let has_copies = is_free_threaded && minor >= 14;
        let (first_line, stack_size) = if minor == 11 { (72, 68) } else { (68, 64) };
        let (first_traceable, instructions) = match minor {
            11 => (168, 184),
            12 => (176, 192),
            13 => (184, 200),
            _ => (192, 208),
        };
        Self {
            file: 112 + more,
            name: 120 + more,
            qualified_name: Some(128 + more),
            first_line: first_line + more,
            line_table: 136 + more,
            instructions: instructions + more + if has_copies { 8 } else { 0 },
            first_traceable: first_traceable + more,
            copies: has_copies.then_some(instructions + more),
            local_names: [96 + more, 0, 0],
            stack_size: stack_size + more,
        }
    }
}
