//! What `atexit` keeps, and how the agent's callback is taken out of it.
//!
//! By identity: `atexit.unregister` compares with `==`, which runs code of the target's other
//! callbacks, stops at the first that raises, and removes those that say that they are equal. Up to
//! 3.13 it also keeps the emptied place of an array for good.

use core::ffi::c_void;

use leakhunt_wire::Capi;

use crate::capi::{CApi, Object};
use crate::heap::Heap;
use crate::lists::as_object;
use crate::sys;

const WORD: usize = size_of::<usize>();
/// No `atexit` has more callbacks.
const MOST_CALLBACKS: usize = 1 << 20;

/// Removes `function`. `false` when it was not found; then it may be called at the interpreter's end.
///
/// # Safety
/// The caller holds the GIL; `atexit` is the module.
pub(crate) unsafe fn remove(heap: &Heap, atexit: Object, function: usize) -> bool {
    // SAFETY: the caller holds the GIL.
    unsafe {
        if heap.layout.minor >= 14 {
            remove_from_list(heap, function)
        } else {
            remove_from_array(&heap.capi, atexit, function)
        }
    }
}

/// Hands on each object that `atexit` keeps outside of its module, where `function` is registered. Up to
/// 3.9 the module itself refers to all.
pub(crate) fn each_kept(heap: &Heap, function: usize, see: &mut dyn FnMut(usize)) {
    match heap.layout.minor {
        ..=9 => {}
        10..=13 => {
            let Some(array) = Array::in_interpreter(&heap.capi, function) else {
                return;
            };
            for index in 0..array.n_callbacks as usize {
                let callback = read(array.callbacks + index * WORD);
                let references = callback.and_then(|[callback]| read::<3>(callback));
                for object in references
                    .into_iter()
                    .flatten()
                    .filter(|&object| object != 0)
                {
                    see(object);
                }
            }
        }
        _ => {
            if let Some((list, _)) = find_list(heap, function) {
                see(list);
            }
        }
    }
}

/// Up to 3.13: an array of pointers to `{ function, arguments, keywords }`, and two numbers: how many
/// places are in use, and how many there are.
struct Array {
    /// Address of the pointer to the array, which the numbers follow.
    state: usize,
    callbacks: usize,
    n_callbacks: u32,
    /// The function's place.
    index: u32,
}

unsafe fn remove_from_array(capi: &CApi, atexit: Object, function: usize) -> bool {
    // SAFETY: the caller holds the GIL, and the module is alive.
    let Some(array) = (unsafe { find_array(capi, atexit, function) }) else {
        return false;
    };
    let slot = array.callbacks + array.index as usize * WORD;
    let Some([callback]) = read(slot) else {
        return false;
    };
    let Some(references) = read::<3>(callback) else {
        return false;
    };
    type Free = unsafe extern "C" fn(*mut c_void);
    // SAFETY: this is what `atexit.unregister` does. The caller holds the GIL, so that nobody else
    // looks at the array; whoever runs the callbacks passes over an empty place.
    unsafe {
        (slot as *mut usize).write(0);
        for object in references {
            if object != 0 {
                capi.decref(as_object(object));
            }
        }
        let free: Free = core::mem::transmute(capi.address(Capi::PyMem_Free));
        free(callback as *mut c_void);
        array.give_empty_places_back();
    }
    true
}

/// # Safety
/// The caller holds the GIL; `atexit` is the module.
unsafe fn find_array(capi: &CApi, atexit: Object, function: usize) -> Option<Array> {
    // SAFETY: by this function's contract.
    unsafe {
        if capi.has(Capi::PyModule_GetState) {
            // The module's own state up to 3.9; null later.
            type GetState = unsafe extern "C" fn(Object) -> *mut c_void;
            let get_state: GetState = core::mem::transmute(capi.address(Capi::PyModule_GetState));
            let state = get_state(atexit) as usize;
            if state != 0
                && let Some(array) = Array::at(state, function)
            {
                return Some(array);
            }
        }
    }
    Array::in_interpreter(capi, function)
}

impl Array {
    /// From 3.10 on the array is in the interpreter's state: at 3,488 in 3.10 to 10,728 in 3.13t.
    fn in_interpreter(capi: &CApi, function: usize) -> Option<Self> {
        const SEARCHED: usize = 16 * 1024;
        // SAFETY: the caller is inside or a copy of a thread that was, so that the interpreter is
        // initialised.
        let interpreter = unsafe { capi.main_interpreter() };
        (interpreter..interpreter + SEARCHED)
            .step_by(WORD)
            .find_map(|state| Self::at(state, function))
    }

    /// The array, if `state` is what holds it.
    fn at(state: usize, function: usize) -> Option<Self> {
        let [callbacks, numbers] = read(state)?;
        let (n_callbacks, capacity) = (numbers as u32, (numbers >> 32) as u32);
        let is_plausible = callbacks >= 4096
            && n_callbacks > 0
            && n_callbacks <= capacity
            && capacity as usize <= MOST_CALLBACKS;
        if !is_plausible {
            return None;
        }
        // Mostly the last one.
        let is_it = |index: &u32| {
            let callback = read(callbacks + *index as usize * WORD);
            callback.is_some_and(|[callback]| read(callback) == Some([function]))
        };
        let index = (0..n_callbacks)
            .rev()
            .take_while(|&index| read::<1>(callbacks + index as usize * WORD).is_some())
            .find(is_it)?;
        Some(Self {
            state,
            callbacks,
            n_callbacks,
            index,
        })
    }

    /// Takes the empty places at the end away.
    ///
    /// # Safety
    /// The caller has held the GIL since the array was found.
    unsafe fn give_empty_places_back(&self) {
        let mut n_left = self.n_callbacks;
        while n_left > 0 && read(self.callbacks + (n_left as usize - 1) * WORD) == Some([0]) {
            n_left -= 1;
        }
        // SAFETY: this is where the number was found, and nobody changes it without the GIL.
        unsafe { ((self.state + WORD) as *mut u32).write(n_left) };
    }
}

/// `interp->atexit.callbacks` from 3.14 on: 10,792 in 3.14.10, 10,840 in its free-threaded build,
/// 10,768 in 3.15.2. Other patch levels differ by little; what is found is checked.
const LIST_AT: core::ops::Range<usize> = 10_240..11_776;

unsafe fn remove_from_list(heap: &Heap, function: usize) -> bool {
    let Some((list, index)) = find_list(heap, function) else {
        return false;
    };
    type SetSlice = unsafe extern "C" fn(Object, isize, isize, Object) -> i32;
    // SAFETY: the caller holds the GIL, and the list is the interpreter's own.
    unsafe {
        let set_slice: SetSlice = core::mem::transmute(heap.capi.address(Capi::PyList_SetSlice));
        let index = index as isize;
        let is_done = set_slice(as_object(list), index, index + 1, core::ptr::null_mut()) == 0;
        if !is_done {
            heap.capi.clear_error();
        }
        is_done
    }
}

/// The interpreter's list of callbacks, and the place of `function` there.
fn find_list(heap: &Heap, function: usize) -> Option<(usize, usize)> {
    // SAFETY: the caller is inside or a copy of a thread that was, so that the interpreter is
    // initialised.
    let interpreter = unsafe { heap.capi.main_interpreter() };
    LIST_AT.step_by(WORD).find_map(|offset| {
        let [list] = read(interpreter + offset)?;
        Some((list, entry_of(heap, list, function)?))
    })
}

/// The place in `list`, if it is a list, of a tuple that begins with `function`.
fn entry_of(heap: &Heap, list: usize, function: usize) -> Option<usize> {
    let layout = &heap.layout;
    let [list_type] = read(list.checked_add(layout.ob_type)?)?;
    let [len, items] = read(list + layout.header)?;
    if list_type != heap.list_type || len > MOST_CALLBACKS {
        return None;
    }
    (0..len).rev().find(|index| {
        let tuple = read(items + index * WORD).map_or(0, |[tuple]| tuple);
        let type_of_it = read(tuple.wrapping_add(layout.ob_type));
        type_of_it == Some([heap.capi.address(Capi::PyTuple_Type)])
            && read(tuple + layout.tuple_items) == Some([function])
    })
}

/// Reads words that may not be mapped.
pub(crate) fn read<const N: usize>(address: usize) -> Option<[usize; N]> {
    let mut words = [0; N];
    (address >= 4096 && sys::read_words_carefully(address, &mut words)).then_some(words)
}
