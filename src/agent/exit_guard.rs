//! Makes the interpreter's end wait for the agent, and the agent stop before it.
//!
//! An `atexit` callback is the one place that the ending thread passes with the GIL before the
//! interpreter refuses other threads. (`Py_AtExit` is later, and cannot be undone.)

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::SeqCst};

use leakhunt_wire::Capi;

use crate::atexit_entry;
use crate::capi::{CApi, MethodDef, Object};
use crate::heap::Heap;
use crate::memory::Memory;
use crate::sys;
use crate::trace;

/// What the callback sees. It lives in the agent's image, hence as long as any copy of the process.
struct Shared {
    /// The interpreter has begun to end.
    is_closing: AtomicBool,
    /// The agent is in the interpreter, or about to go in.
    is_inside: AtomicBool,
    /// The agent holds the GIL.
    is_holding: AtomicBool,
    /// The process that the agent's thread lives in: a forked child has the callback, not the thread.
    owner: AtomicU32,
    socket: AtomicI32,
    capi: UnsafeCell<MaybeUninit<CApi>>,
    method: UnsafeCell<MethodDef>,
}

// SAFETY: the cells are written before the callback is registered, and only read afterwards.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared {
    is_closing: AtomicBool::new(false),
    is_inside: AtomicBool::new(false),
    is_holding: AtomicBool::new(false),
    owner: AtomicU32::new(0),
    socket: AtomicI32::new(-1),
    capi: UnsafeCell::new(MaybeUninit::uninit()),
    method: UnsafeCell::new(MethodDef {
        name: c"leakhunt_at_exit".as_ptr(),
        function: Some(at_exit),
        flags: METH_NOARGS,
        doc: ptr::null(),
    }),
};

const METH_NOARGS: i32 = 4;
/// How long the interpreter's end waits at most for the agent to come out.
const LONGEST_WAIT_US: u64 = 5_000_000;

/// The registered callback.
pub(crate) struct ExitGuard {
    function: Object,
}

impl ExitGuard {
    /// Notes that the agent's first stay in the interpreter has begun: from now on a fault lets go
    /// of it.
    ///
    /// # Safety
    /// The caller holds the GIL, and no callback is registered.
    pub(crate) unsafe fn begin_first_stay(capi: &CApi, socket: i32) {
        SHARED.is_closing.store(false, SeqCst);
        SHARED.is_inside.store(true, SeqCst);
        SHARED.socket.store(socket, SeqCst);
        // SAFETY: no callback is registered yet, so that nobody reads the cell.
        unsafe { (*SHARED.capi.get()).write(*capi) };
        SHARED.owner.store(sys::pid(), SeqCst);
        SHARED.is_holding.store(true, SeqCst);
    }

    /// Registers the callback.
    ///
    /// # Safety
    /// The caller holds the GIL, and has called `begin_first_stay`.
    pub(crate) unsafe fn register(capi: &CApi, minor: u32) -> Option<Self> {
        // SAFETY: the caller holds the GIL for all calls; `register` runs no code of the target but
        // atexit's own.
        unsafe {
            let atexit = capi.import(c"atexit".as_ptr());
            if atexit.is_null() {
                capi.clear_error();
                return None;
            }
            // Before 3.12 making an object may start a collection, with finalizers, in the agent's
            // thread. (Before 3.10 that cannot be helped.)
            let was_enabled =
                minor <= 11 && capi.collector_switch(Capi::PyGC_Disable) == Some(true);
            let function = capi.new_function(SHARED.method.get(), ptr::null_mut(), ptr::null_mut());
            let is_registered =
                !function.is_null() && capi.call_method(atexit, c"register", function);
            if function.is_null() {
                capi.clear_error();
            } else if !is_registered {
                capi.decref(function);
            }
            if was_enabled {
                capi.collector_switch(Capi::PyGC_Enable);
            }
            capi.decref(atexit);
            is_registered.then_some(Self { function })
        }
    }

    /// Address of the callback.
    pub(crate) fn callback(&self) -> usize {
        self.function as usize
    }

    /// Takes the callback back. `false` when somebody may still call it: the interpreter's end that
    /// is under way, or one to come; then the agent's code has to stay.
    ///
    /// # Safety
    /// The caller holds the GIL, and calls this once.
    pub(crate) unsafe fn unregister(&self, heap: &Heap, memory: Memory) -> bool {
        let capi = &heap.capi;
        // SAFETY: the caller holds the GIL; `function` is the reference that `register` kept.
        unsafe {
            let atexit = capi.import(c"atexit".as_ptr());
            if atexit.is_null() {
                capi.clear_error();
                return false;
            }
            let is_removed = atexit_entry::remove(heap, atexit, self.function as usize);
            capi.decref(atexit);
            // From 3.14 on the interpreter's end calls what it has copied before.
            let count = heap.layout.reference_count(memory, self.function as usize);
            if !is_removed || count != Some(1) {
                return false;
            }
            capi.decref(self.function);
            true
        }
    }

    /// Before the agent goes in; `false` when it must not any more.
    pub(crate) fn begin_stay(&self) -> bool {
        SHARED.is_inside.store(true, SeqCst);
        if self.is_closing() {
            self.end_stay();
            return false;
        }
        true
    }

    /// The agent has the GIL, or is about to let it go.
    pub(crate) fn note_holding(&self, is_holding: bool) {
        SHARED.is_holding.store(is_holding, SeqCst);
    }

    /// After the agent came out.
    pub(crate) fn end_stay(&self) {
        SHARED.is_inside.store(false, SeqCst);
    }

    pub(crate) fn is_closing(&self) -> bool {
        is_closing()
    }
}

/// Runs in the ending thread, with the GIL, before the interpreter marks itself as ending.
unsafe extern "C" fn at_exit(_: Object, _: Object) -> Object {
    // SAFETY: `register` has written the cell; this thread holds the GIL.
    unsafe {
        let capi = (*SHARED.capi.get()).assume_init_ref();
        if SHARED.owner.load(SeqCst) == sys::pid() {
            let socket = SHARED.socket.load(SeqCst);
            if socket >= 0 {
                sys::shut_down_reading(socket);
            }
            SHARED.is_closing.store(true, SeqCst);
            if SHARED.is_inside.load(SeqCst) {
                let thread = capi.save_thread();
                let start = sys::now_us();
                while SHARED.is_inside.load(SeqCst) && sys::now_us() - start < LONGEST_WAIT_US {
                    sys::sleep_us(200);
                }
                capi.restore_thread(thread);
            }
        }
        // In a forked child, too, which traces since.
        trace::stop_own(capi);
        let none = capi.address(Capi::_Py_NoneStruct) as *mut c_void;
        capi.incref(none);
        none
    }
}

/// Whether the interpreter has begun to end.
pub(crate) fn is_closing() -> bool {
    SHARED.is_closing.load(SeqCst)
}

/// Closes the channel: its number may be another's from now on.
pub(crate) fn close_channel(socket: i32) {
    SHARED.socket.store(-1, SeqCst);
    sys::close(socket);
}

/// After a fault of the agent: lets go of the interpreter and of the command line. A copy ends here.
#[cfg(feature = "image")]
pub(crate) fn give_up() {
    let owner = SHARED.owner.load(SeqCst);
    if owner != 0 && owner != sys::pid() {
        sys::exit_process(crate::copy::code::FAULT);
    }
    if SHARED.is_holding.swap(false, SeqCst) {
        // SAFETY: this is the agent's thread, which holds the GIL, and `begin_first_stay` has run.
        unsafe {
            let capi = (*SHARED.capi.get()).assume_init_ref();
            trace::stop_own(capi);
            capi.save_thread();
        }
    }
    SHARED.is_inside.store(false, SeqCst);
    sys::close(SHARED.socket.swap(-1, SeqCst));
}
