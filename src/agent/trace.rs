//! Switches `tracemalloc` on and off in the target.
//!
//! By a module `_tracemalloc` of the agent's own, which is gone after each use: an import would leave
//! it in `sys.modules`, and might run what the target does on imports. The state that it works on is
//! the interpreter's. Up to 3.11 the first use leaves what any later one needs, outside of Python: a
//! key for thread-local storage, a lock, three empty tables and the text `<unknown>`.

use core::ffi::{CStr, c_int};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use leakhunt_wire::{Capi, Traced};

use crate::capi::{Argument, CApi, Object};
use crate::lists::as_object;

/// While the agent traces: the `int` that the limit of frames was before, a reference of the agent's.
/// 0 while it does not. A forked child has this, too, and traces on.
static LIMIT_BEFORE: AtomicUsize = AtomicUsize::new(0);

/// Traces with `n_frames` frames an object, or not any more for 0.
///
/// # Safety
/// The caller holds the GIL of an interpreter of 3.`minor`.
pub(crate) unsafe fn set(capi: &CApi, minor: u32, n_frames: u32) -> Traced {
    // SAFETY: the caller holds the GIL.
    unsafe {
        // Before 3.12 making an object may start a collection, with finalizers, in the agent's
        // thread. (Before 3.10 that cannot be helped.)
        let was_enabled = minor <= 11 && capi.collector_switch(Capi::PyGC_Disable) == Some(true);
        stop_own(capi);
        let traced = Tracemalloc::open(capi).map_or(Traced::Failed, |module| {
            let traced = module.start(n_frames);
            module.close();
            traced
        });
        if was_enabled {
            capi.collector_switch(Capi::PyGC_Enable);
        }
        traced
    }
}

/// Ends the agent's tracing, if it traces. What the target has switched on stays.
///
/// # Safety
/// The caller holds the GIL.
pub(crate) unsafe fn stop_own(capi: &CApi) {
    let limit = LIMIT_BEFORE.swap(0, SeqCst);
    if limit == 0 {
        return;
    }
    // SAFETY: the caller holds the GIL; the reference is the one that `start` kept.
    unsafe {
        if let Some(module) = Tracemalloc::open(capi) {
            capi.call_method(module.module, c"stop", ptr::null_mut());
            // The limit stays behind a stop.
            capi.call_method(module.module, c"start", as_object(limit));
            capi.call_method(module.module, c"stop", ptr::null_mut());
            module.close();
        }
        capi.decref(as_object(limit));
    }
}

/// A module `_tracemalloc` of the agent's own.
struct Tracemalloc<'c> {
    capi: &'c CApi,
    module: Object,
}

impl<'c> Tracemalloc<'c> {
    /// # Safety
    /// The caller holds the GIL for as long as the value is there.
    unsafe fn open(capi: &'c CApi) -> Option<Self> {
        if !capi.has(Capi::PyInit__tracemalloc) {
            return None;
        }
        // SAFETY: the caller holds the GIL. In all versions this makes a module in one step.
        let module = unsafe { capi.new_tracemalloc() };
        if module.is_null() {
            // SAFETY: as above.
            unsafe { capi.clear_error() };
            return None;
        }
        Some(Self { capi, module })
    }

    unsafe fn start(&self, n_frames: u32) -> Traced {
        // SAFETY: the caller of `open` holds the GIL.
        unsafe {
            if self.is_tracing() {
                return Traced::WasOn;
            }
            if n_frames == 0 {
                return Traced::Done;
            }
            let limit = self.call(c"get_traceback_limit", Argument::None);
            if limit.is_null() {
                return Traced::Failed;
            }
            let n_frames = c_int::try_from(n_frames).unwrap_or(c_int::MAX);
            let result = self.call(c"start", Argument::Int(n_frames));
            if result.is_null() {
                self.capi.decref(limit);
                return Traced::Failed;
            }
            self.capi.decref(result);
            LIMIT_BEFORE.store(limit as usize, SeqCst);
            Traced::Done
        }
    }

    /// Whether somebody traces.
    unsafe fn is_tracing(&self) -> bool {
        // SAFETY: the caller of `open` holds the GIL.
        unsafe {
            let result = self.call(c"is_tracing", Argument::None);
            if result.is_null() {
                return false;
            }
            self.capi.decref(result);
            result as usize == self.capi.address(Capi::_Py_TrueStruct)
        }
    }

    unsafe fn call(&self, name: &CStr, argument: Argument) -> Object {
        // SAFETY: the caller of `open` holds the GIL; this runs code of the interpreter alone.
        unsafe { self.capi.call(self.module, name, argument) }
    }

    /// Lets the module go. It and its functions refer to each other: that is undone first.
    unsafe fn close(self) {
        // SAFETY: the caller of `open` holds the GIL; nobody else has seen the module.
        unsafe {
            let dict = self.capi.module_dict(self.module);
            self.capi.call_method(dict, c"clear", ptr::null_mut());
            self.capi.decref(self.module);
        }
    }
}
