//! What threads of the target had asked of the holder of the GIL when the copy was made.
//!
//! A thread that has waited for 5 ms asks the holder to let the GIL go, and the holder then waits until
//! another thread has it. The clone of a large heap takes longer than that, so that the copy holds such a request as a
//! rule where threads are busy; and it has no other thread. Python that ran in it would wait for
//! ever at its first step.

use leakhunt_wire::Capi;

use crate::heap::Heap;
use crate::memory::Memory;

/// Up to 3.12 the request is an `int` that is 1, in `_PyRuntime` (3.8) or in the interpreter's state; offsets
/// by `offsetof` of 3.8.18, 3.9.18, 3.10.13, 3.11.7 and 3.12.1. It is behind `eval_breaker`, which is 1 then.
const fn request(minor: u32) -> usize {
    match minor {
        8 => 596,
        9 => 76,
        10 => 72,
        11 => 104,
        _ => 372,
    }
}

/// From 3.13 on a bit of `eval_breaker`, the field of a thread's state behind `prev`, `next` and `interp`. Its
/// lowest byte has the requests of all kinds, a collection too.
const BREAKER: usize = 24;
const REQUESTS: usize = 0xff;

/// Takes the requests back.
///
/// # Safety
/// This is a copy, whose only thread holds the GIL.
pub(crate) unsafe fn forget(heap: &Heap, memory: Memory) {
    let (capi, minor) = (&heap.capi, heap.layout.minor);
    // SAFETY: the caller holds the GIL. Where a version has something else at the place, it is this
    // copy that goes wrong, and is seen to; a request is 1, and nothing else is written to.
    unsafe {
        if minor >= 13 {
            let breaker = capi.thread_state() as usize + BREAKER;
            (breaker as *mut usize).write_volatile(memory.word(breaker) & !REQUESTS);
            return;
        }
        let state = match minor {
            8 => capi.address(Capi::_PyRuntime),
            _ => capi.main_interpreter(),
        };
        let request = state + request(minor);
        if state != 0 && memory.half(request) == 1 && memory.half(request - 4) == 1 {
            (request as *mut u32).write_volatile(0);
        }
    }
}
