//! The threads of the main interpreter, and what their states refer to.

use leakhunt_wire::ThreadState;

use crate::atexit_entry::read;
use crate::heap::Heap;
use crate::memory::Memory;

/// No interpreter has more.
const MOST_THREADS: usize = 100_000;

/// A thread's state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thread {
    /// Where it is.
    pub(crate) state: usize,
    /// The native id; 0 where it is not known.
    pub(crate) native_id: u64,
    /// The newest frame; 0 for none.
    pub(crate) frame: usize,
}

/// Hands on all threads but the agent's, newest first.
pub(crate) fn each(heap: &Heap, memory: Memory, see: &mut dyn FnMut(Thread)) {
    let offsets = ThreadState::of(heap.layout.minor);
    // SAFETY: whoever reads the heap is inside, or is a copy of a thread that was.
    let (interpreter, own, newest) = unsafe {
        let interpreter = heap.capi.main_interpreter();
        let newest = heap.capi.thread_head(interpreter as *mut core::ffi::c_void);
        let own = heap.capi.thread_state();
        (interpreter, own as usize, newest as usize)
    };
    let mut state = newest;
    for _ in 0..MOST_THREADS {
        // prev, next and interp are the first fields in all versions.
        let Some([_, next, owner]) = read(state) else {
            return;
        };
        if owner != interpreter {
            return;
        }
        if state != own {
            see(Thread {
                state,
                native_id: native_id(memory, &offsets, state),
                frame: frame(heap, memory, &offsets, state),
            });
        }
        state = next;
    }
}

fn frame(heap: &Heap, memory: Memory, offsets: &ThreadState, state: usize) -> usize {
    let frame = memory.word(state + offsets.frame);
    let Some(inner) = ThreadState::frame_in_between(heap.layout.minor) else {
        return frame;
    };
    read(frame.wrapping_add(inner)).map_or(0, |[frame]| frame)
}

fn native_id(memory: Memory, offsets: &ThreadState, state: usize) -> u64 {
    if let Some(native_id) = offsets.native_id {
        return memory.word(state + native_id) as u64;
    }
    const HIGHEST_ID: u64 = 1 << 22;
    let thread = memory.word(state + offsets.thread_id);
    let id = read(thread.wrapping_add(ThreadState::NATIVE_ID_IN_GLIBC))
        .map_or(0, |[word]: [usize; 1]| word as u32 as u64);
    if id <= HIGHEST_ID { id } else { 0 }
}

/// Hands on what the state of a thread refers to, and the field.
pub(crate) fn each_reference(
    heap: &Heap,
    memory: Memory,
    thread: Thread,
    see: &mut dyn FnMut(usize, &'static [u8]),
) {
    let offsets = ThreadState::of(heap.layout.minor);
    let n_current = if heap.layout.minor <= 11 { 3 } else { 1 };
    let n_handled = if heap.layout.minor <= 10 { 3 } else { 1 };
    let fields: [(&'static [u8], usize, usize); 8] = [
        (b"c_profileobj", offsets.profile, 1),
        (b"c_traceobj", offsets.profile + 8, 1),
        (b"current exception", offsets.profile + 16, n_current),
        (b"handled exception", offsets.handled, n_handled),
        (b"dict", offsets.dict, 1),
        (b"async_exc", offsets.async_exception, 1),
        (b"async generator hooks", offsets.hooks, 2),
        (b"context", offsets.hooks + 16, 1),
    ];
    for (name, offset, n_words) in fields {
        for word in 0..n_words {
            let target = memory.word(thread.state + offset + word * 8);
            if is_object(heap, target) {
                see(target, name);
            }
        }
    }
}

/// Whether there is an object at an address that may be anything: its type's type has the type `type`.
fn is_object(heap: &Heap, address: usize) -> bool {
    let type_of = |object: usize| {
        let [type_object] = read(object.checked_add(heap.layout.ob_type)?)?;
        Some(type_object)
    };
    let metatype = Some(address)
        .filter(|address| address.is_multiple_of(8))
        .and_then(type_of)
        .and_then(type_of);
    let type_type = heap.capi.address(leakhunt_wire::Capi::PyType_Type);
    metatype.and_then(type_of) == Some(type_type)
}
