//! The slot that a callback of `atexit` leaves behind.
//!
//! Up to 3.13 `atexit.unregister` empties the callback's place in an array and keeps the place, so
//! that each session would leave one more. If the last place is the agent's, it is given back, with
//! empty ones before it: those of sessions that ended while this one went on.

use core::ffi::c_void;

use leakhunt_wire::Capi;

use crate::capi::{CApi, Object};
use crate::sys;

/// The last place of the array: `state` is the address of `{ callbacks, n_callbacks, capacity }`.
pub(crate) struct Slot {
    state: usize,
    callbacks: usize,
    n_callbacks: u32,
}

impl Slot {
    /// The place of `function`, which is registered. `None` where it is not the last, or not found:
    /// then the empty place stays, which costs eight bytes.
    ///
    /// # Safety
    /// The caller holds the GIL; `atexit` is the module.
    pub(crate) unsafe fn of(capi: &CApi, atexit: Object, function: Object) -> Option<Self> {
        // SAFETY: the caller holds the GIL, and the module is alive.
        unsafe {
            if capi.has(Capi::PyModule_GetState) {
                // The module's own state up to 3.9; null later.
                type GetState = unsafe extern "C" fn(Object) -> *mut c_void;
                let get_state: GetState =
                    core::mem::transmute(capi.address(Capi::PyModule_GetState));
                let state = get_state(atexit) as usize;
                if state != 0
                    && let Some(slot) = Self::at(state, function as usize)
                {
                    return Some(slot);
                }
            }
            // Later in the interpreter's state (at 3,488 in 3.10 to 10,728 in 3.13t).
            const SEARCHED: usize = 16 * 1024;
            let interpreter = capi.main_interpreter();
            (interpreter..interpreter + SEARCHED)
                .step_by(size_of::<usize>())
                .find_map(|state| Self::at(state, function as usize))
        }
    }

    /// The place, if `state` is what holds the array.
    fn at(state: usize, function: usize) -> Option<Self> {
        let [callbacks, numbers] = read(state)?;
        let (n_callbacks, capacity) = (numbers as u32, (numbers >> 32) as u32);
        const MOST: u32 = 1 << 20;
        if callbacks < 4096 || n_callbacks == 0 || n_callbacks > capacity || capacity > MOST {
            return None;
        }
        let [callback] = read(place(callbacks, n_callbacks - 1)?)?;
        let [called] = read(callback)?;
        (called == function).then_some(Self {
            state,
            callbacks,
            n_callbacks,
        })
    }

    /// Takes the place away, now that it is empty.
    ///
    /// # Safety
    /// The caller has held the GIL since `of`.
    pub(crate) unsafe fn give_back(self) {
        let numbers = (self.state + size_of::<usize>()) as *mut u32;
        let is_empty = |index| place(self.callbacks, index).and_then(read) == Some([0]);
        let mut n_left = self.n_callbacks;
        while n_left > 0 && is_empty(n_left - 1) {
            n_left -= 1;
        }
        // SAFETY: `of` has found the number here, and nobody changes it without the GIL.
        unsafe {
            if numbers.read() == self.n_callbacks {
                numbers.write(n_left);
            }
        }
    }
}

/// Address of one place of the array.
fn place(callbacks: usize, index: u32) -> Option<usize> {
    callbacks.checked_add(index as usize * size_of::<usize>())
}

fn read<const N: usize>(address: usize) -> Option<[usize; N]> {
    let mut words = [0; N];
    sys::read_words_carefully(address, &mut words).then_some(words)
}
