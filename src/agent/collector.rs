//! How the collector is set: what of `gc` tells why garbage is still there.
//!
//! All of it stands next to the heads of the collector's lists, at distances that were measured on
//! 3.8.18, 3.9.2, 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1, 3.13.0, 3.13.18, 3.14.10 and 3.15.2 by
//! looking for values that `gc` had been given. What does not look as it must is not told.

use leakhunt_wire::{Capi, CollectorDef};

use crate::atexit_entry::read;
use crate::heap::Heap;
use crate::layout::Layout;
use crate::lists::{GENERATION, Lists};
use crate::memory::Memory;

/// What is known of the collector.
pub(crate) fn state(heap: &Heap, memory: Memory) -> CollectorDef {
    // SAFETY: whoever reads the heap is inside, or is a copy of a thread that was.
    let says_enabled = unsafe { heap.capi.collector_switch(Capi::PyGC_IsEnabled) };
    let mut state = CollectorDef {
        enabled: says_enabled.map(u64::from),
        debug: None,
        has_generations: false,
        thresholds: [0; 3],
        counts: [0; 3],
        collections: [0; 3],
        n_uncollectable: None,
        long_lived: None,
        long_lived_pending: None,
    };
    let Some(lists) = &heap.lists else {
        return state;
    };
    if let Some((enabled, debug)) = switches(&heap.layout, lists, memory)
        && says_enabled.is_none_or(|says| says == enabled)
    {
        state.enabled = Some(u64::from(enabled));
        state.debug = Some(debug);
    }
    state.has_generations = true;
    for generation in 0..3 {
        let [threshold, count] = [16, 20].map(|at| {
            let number = memory.half(lists.heads[0] + generation * GENERATION + at);
            u64::from(number)
        });
        state.thresholds[generation] = threshold;
        state.counts[generation] = count;
        state.collections[generation] = lists.collections(memory, heap.layout.minor, generation);
    }
    add_old(&mut state, heap, lists, memory);
    state
}

/// `enabled` and `debug`, two numbers of 32 bits before the young generation, which stands at a
/// multiple of 8 up to 3.14 but for some of 3.13's last.
fn switches(layout: &Layout, lists: &Lists, memory: Memory) -> Option<(bool, u64)> {
    /// All flags of `gc.set_debug`.
    const FLAGS: u32 = 0x3f;
    let young = lists.heads[0];
    let end = match layout.minor >= 15 || !young.is_multiple_of(8) {
        true => young,
        false => young - 4,
    };
    let (enabled, debug) = (memory.half(end - 8), memory.half(end - 4));
    (enabled <= 1 && debug & !FLAGS == 0).then_some((enabled == 1, debug.into()))
}

/// `gc.garbage`, and how many objects the last full collection left.
fn add_old(state: &mut CollectorDef, heap: &Heap, lists: &Lists, memory: Memory) {
    // From the statistics, or what points to them, to `garbage`, and from there to
    // `long_lived_total`; `long_lived_pending` follows.
    let (garbage, long_lived) = match heap.layout.minor {
        ..=13 => (80, 16),
        14 => (80, 40),
        _ => (24, 24),
    };
    let garbage = lists.statistics() + garbage;
    let list = memory.word(garbage);
    let of_type = read(list.wrapping_add(heap.layout.ob_type)).map(|[of_type]| of_type);
    if of_type != Some(heap.list_type) {
        return;
    }
    let n_uncollectable = heap.layout.size_field(memory, list);
    state.n_uncollectable = u64::try_from(n_uncollectable).ok();
    // The incremental collector has no such numbers.
    if heap.layout.minor == 14 && heap.layout.patch <= LAST_INCREMENTAL_PATCH {
        return;
    }
    let [total, pending] = [0, 8].map(|at| memory.word(garbage + long_lived + at) as u64);
    const LARGEST: u64 = 1 << 40;
    if total < LARGEST && pending < LARGEST {
        (state.long_lived, state.long_lived_pending) = (Some(total), Some(pending));
    }
}

/// 3.14.0 to 3.14.4 collect the old objects in small steps.
const LAST_INCREMENTAL_PATCH: u32 = 4;
