//! Going into the interpreter and out of it again, as one more thread of it.

use core::cell::Cell;
use core::ffi::c_void;
use core::ptr;

use leakhunt_wire::{Capi, Goodbye};

use crate::capi::CApi;
use crate::exit_guard::ExitGuard;
use crate::heap::Heap;
use crate::layout::Layout;
use crate::memory::Memory;
use crate::session::Left;
use crate::sys;
use crate::trace;

/// The agent's thread state: made once a session.
pub(crate) struct Interpreter {
    capi: CApi,
    pub(crate) layout: Layout,
    guard: ExitGuard,
    /// The thread state while the agent is outside.
    thread: Cell<*mut c_void>,
}

/// The agent is in the interpreter: it holds the GIL, or on a free-threaded build is attached.
pub(crate) struct Inside<'i> {
    interpreter: &'i Interpreter,
    pub(crate) memory: Memory,
    /// When it came in.
    pub(crate) since_us: u64,
}

/// `PyGILState_UNLOCKED`.
const UNLOCKED: i32 = 1;

impl Interpreter {
    /// Goes in for the first time. The value is inside when this answers: `let_go` ends that.
    ///
    /// # Errors
    /// When the interpreter does not run or is ending; then nothing of the agent is in it.
    pub(crate) fn enter_first(capi: &CApi, socket: i32) -> Result<(Self, u64), Goodbye> {
        // SAFETY: needs no GIL.
        if unsafe { capi.is_initialized() } == 0 {
            return Err(Goodbye::NotInitialised);
        }
        let capi = *capi;
        let minor = crate::layout::minor_version_of(&capi).ok_or(Goodbye::UnknownPython)?;
        // SAFETY: the interpreter is initialised, and this thread has no thread state yet.
        let is_in = unsafe {
            if minor <= 11 {
                enter_by_main_thread(&capi)
            } else {
                capi.ensure();
                true
            }
        };
        if !is_in {
            // SAFETY: as above. A fork at this very moment may hang (see `enter_by_main_thread`).
            unsafe { capi.ensure() };
        }
        let since_us = sys::now_us();
        // SAFETY: the agent now holds the GIL.
        unsafe {
            if capi.is_finalizing() {
                let state = capi.save_thread();
                wake_who_waits_for_a_switch(&capi, minor, state);
                return Err(Goodbye::Finalising);
            }
            ExitGuard::begin_first_stay(&capi, socket);
            let memory = Memory::of_a_heap_that_stands_still();
            let Some(layout) = Layout::of(&capi, memory, capi.main_interpreter()) else {
                capi.release(UNLOCKED);
                return Err(Goodbye::UnknownPython);
            };
            let Some(guard) = ExitGuard::register(&capi, minor) else {
                capi.release(UNLOCKED);
                return Err(Goodbye::Fault);
            };
            let interpreter = Self {
                capi,
                layout,
                guard,
                thread: Cell::new(ptr::null_mut()),
            };
            Ok((interpreter, since_us))
        }
    }

    /// The value is inside after `enter_first`: this makes that explicit.
    pub(crate) fn first_stay(&self, since_us: u64) -> Inside<'_> {
        // SAFETY: `enter_first` left the agent with the GIL.
        let memory = unsafe { Memory::of_a_heap_that_stands_still() };
        Inside {
            interpreter: self,
            memory,
            since_us,
        }
    }

    /// Address of the callback that is registered with `atexit`.
    pub(crate) fn callback(&self) -> usize {
        self.guard.callback()
    }

    /// Goes in again.
    ///
    /// # Errors
    /// When the interpreter is ending: then the agent must never go in again.
    pub(crate) fn enter(&self) -> Result<Inside<'_>, Goodbye> {
        if !self.guard.begin_stay() {
            return Err(Goodbye::Finalising);
        }
        // SAFETY: the guard makes the interpreter wait with its end until the stay is over, and the
        // thread state is this thread's own.
        let memory = unsafe {
            if self.capi.is_initialized() == 0 {
                self.guard.end_stay();
                return Err(Goodbye::Finalising);
            }
            self.capi.restore_thread(self.thread.get());
            self.guard.note_holding(true);
            Memory::of_a_heap_that_stands_still()
        };
        Ok(Inside {
            interpreter: self,
            memory,
            since_us: sys::now_us(),
        })
    }

    /// Whether the interpreter has begun to end.
    pub(crate) fn is_closing(&self) -> bool {
        self.guard.is_closing()
    }

    /// Undoes everything that the agent has in the interpreter.
    pub(crate) fn leave_for_good(self, heap: &Heap) -> Left {
        let Ok(inside) = self.enter() else {
            return Left::BehindTheInterpreter;
        };
        // SAFETY: the agent holds the GIL.
        let is_unregistered = unsafe {
            trace::stop_own(&self.capi);
            self.guard.unregister(heap, inside.memory)
        };
        if self.guard.is_closing() {
            inside.let_go();
            return Left::BehindTheInterpreter;
        }
        self.guard.note_holding(false);
        // SAFETY: the agent holds the GIL, and uses its thread state for the last time.
        unsafe { self.capi.release(UNLOCKED) };
        self.guard.end_stay();
        if is_unregistered {
            Left::Cleanly
        } else {
            Left::BehindTheInterpreter
        }
    }
}

impl Inside<'_> {
    /// Goes out. Answers how long the agent was inside.
    pub(crate) fn let_go(self) -> u64 {
        let held_us = sys::now_us() - self.since_us;
        self.interpreter.guard.note_holding(false);
        // SAFETY: the agent holds the GIL by the thread state that is current.
        self.interpreter
            .thread
            .set(unsafe { self.interpreter.capi.save_thread() });
        self.interpreter.guard.end_stay();
        held_us
    }
}

/// Up to 3.11 `PyGILState_Ensure` links the new thread state without the GIL, under a lock that a
/// child of `fork` inherits locked for ever when the fork happens at that moment. So the agent takes
/// the GIL by the main thread's state first, which any thread may do, makes its own state under it,
/// and goes on with that one. `false` when the main thread's state is not to be found.
///
/// # Safety
/// The interpreter is initialised, is of 3.8 to 3.11, and this thread has no thread state.
unsafe fn enter_by_main_thread(capi: &CApi) -> bool {
    if !capi.has(Capi::_Py_IsFinalizing) && !capi.has(Capi::Py_IsFinalizing) {
        return false;
    }
    // SAFETY: the interpreter is initialised.
    let interpreter = unsafe { capi.main_interpreter() };
    // SAFETY: reads the head of the list of thread states.
    let newest = unsafe { capi.thread_head(interpreter as *mut c_void) } as usize;
    let Some(oldest) = oldest_thread(interpreter, newest) else {
        return false;
    };
    // SAFETY: the oldest state is the main thread's, which lives as long as the interpreter.
    // While the GIL is held by it nobody else uses it: the main thread, too, needs the GIL first.
    unsafe {
        capi.restore_thread(oldest as *mut c_void);
        if capi.is_finalizing() {
            return true;
        }
        if is_traced(capi) {
            capi.save_thread();
            return false;
        }
        let own = capi.thread_new(interpreter as *mut c_void);
        if own.is_null() {
            capi.save_thread();
            return false;
        }
        capi.thread_swap(own);
        // A thread that lets the GIL go on request waits until another thread state has it, and the
        // main thread's own does not count. Taking it by the new state wakes that thread.
        capi.save_thread();
        capi.restore_thread(own);
    }
    true
}

/// Whether `tracemalloc` traces, up to 3.11. For each block that is made without a thread state of the
/// thread's own it makes one and takes the GIL by it, which the agent must not hold by another.
fn is_traced(capi: &CApi) -> bool {
    // After the stage of its initialisation.
    const TRACING: usize = 4;
    let config = capi.address(Capi::_Py_tracemalloc_config);
    // SAFETY: the field is a global of the interpreter's, which the holder of the GIL may read.
    config != 0 && unsafe { ((config + TRACING) as *const i32).read() } != 0
}

/// The ending thread may have let the GIL go on request and wait until another thread state has it,
/// which the agent's stay by the same state did not bring about. Taking the GIL wakes it all the same,
/// once it waits. Up to 3.11 no other thread is let in any more, so that this is the agent's to do.
///
/// # Safety
/// `state` is the one that the agent has just let go; up to 3.11 that is the ending thread's.
unsafe fn wake_who_waits_for_a_switch(capi: &CApi, minor: u32, state: *mut c_void) {
    if minor > 11 {
        return;
    }
    for _ in 0..3 {
        sys::sleep_us(1000);
        // SAFETY: by this function's contract; the ending thread is let in whatever it does.
        unsafe {
            capi.restore_thread(state);
            capi.save_thread();
        }
    }
}

/// The last of the list of thread states. The list may change meanwhile, so every step is checked,
/// and memory that has gone is no fault.
fn oldest_thread(interpreter: usize, newest: usize) -> Option<usize> {
    let mut thread = newest;
    const MOST_THREADS: usize = 100_000;
    for _ in 0..MOST_THREADS {
        // prev, next, interp are the first fields of `PyThreadState` in 3.8 to 3.11.
        let mut fields = [0; 3];
        if thread == 0 || !sys::read_words_carefully(thread, &mut fields) {
            return None;
        }
        let [_, next, owner] = fields;
        if owner != interpreter {
            return None;
        }
        if next == 0 {
            return Some(thread);
        }
        thread = next;
    }
    None
}
