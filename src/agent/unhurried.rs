//! A stay in the interpreter during which nobody asks for its end.
//!
//! A thread that has waited for the GIL for `sys.getswitchinterval()`, 5 ms, asks its holder to let it go, and
//! the holder then waits until another thread has it. A copy that was made with such a request in it
//! would wait for ever, at the first step of its Python code: it has no other thread.

use crate::capi::{Argument, CApi, Object};

/// Longer than any stay, in seconds.
const LONG: i32 = 3600;

/// The switch interval is long until this is dropped.
pub(crate) struct Unhurried<'c> {
    capi: &'c CApi,
    sys: Object,
    before: Object,
}

impl<'c> Unhurried<'c> {
    /// From now on; `None` where the interval cannot be changed. Threads that wait already look at it
    /// before they ask.
    ///
    /// # Safety
    /// The caller holds the GIL, and does so until this is dropped.
    pub(crate) unsafe fn begin(capi: &'c CApi) -> Option<Self> {
        // SAFETY: by this function's contract; each result is checked. `sys` is borrowed from a dict
        // that nobody changes while the caller holds the GIL. Both methods are builtins: no code runs.
        unsafe {
            let sys = capi.dict_get(capi.modules(), c"sys".as_ptr());
            if sys.is_null() {
                return None;
            }
            let before = capi.call(sys, c"getswitchinterval", Argument::None);
            if before.is_null() {
                return None;
            }
            let set = capi.call(sys, c"setswitchinterval", Argument::Int(LONG));
            if set.is_null() {
                capi.decref(before);
                return None;
            }
            capi.decref(set);
            capi.incref(sys);
            Some(Self { capi, sys, before })
        }
    }
}

impl Drop for Unhurried<'_> {
    fn drop(&mut self) {
        // SAFETY: by `begin`'s contract the caller still holds the GIL.
        unsafe {
            self.capi
                .call_method(self.sys, c"setswitchinterval", self.before);
            self.capi.decref(self.before);
            self.capi.decref(self.sys);
        }
    }
}
