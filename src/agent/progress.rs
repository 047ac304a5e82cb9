//! What a copy of the target leaves behind for the agent when it crashes: one shared page.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::sys;

/// The shared page.
#[repr(C)]
pub(crate) struct Progress {
    /// The type whose code runs at the moment; 0 when none does.
    current_type: AtomicUsize,
    /// The object that this code works on.
    traversed: AtomicUsize,
    /// Set by the agent: a copy that has a copy of its own is to end both.
    must_stop: AtomicUsize,
    /// How many objects a dump is about.
    n_matching: AtomicU64,
    /// The object of a dump that is worked on, by its place in the dump.
    current_object: AtomicUsize,
    /// How many texts about it were sent.
    n_told: AtomicUsize,
    /// Whether the copy of a copy asks `tracemalloc` at the moment.
    asks_tracemalloc: AtomicBool,
}

/// Owns the page.
pub(crate) struct SharedProgress(*mut Progress);

const LEN: usize = 4096;

impl SharedProgress {
    pub(crate) fn new() -> Option<Self> {
        sys::map_shared(LEN).ok().map(|page| Self(page.cast()))
    }
}

impl core::ops::Deref for SharedProgress {
    type Target = Progress;
    fn deref(&self) -> &Progress {
        // SAFETY: the page is mapped for as long as `self` lives; zeroed atomics are valid.
        unsafe { &*self.0 }
    }
}

impl Drop for SharedProgress {
    fn drop(&mut self) {
        // SAFETY: the page is this value's, and no borrow of it is left.
        unsafe { sys::unmap(self.0.cast(), LEN) };
    }
}

impl Progress {
    pub(crate) fn reset(&self) {
        self.current_type.store(0, Relaxed);
        self.traversed.store(0, Relaxed);
        self.must_stop.store(0, Relaxed);
        self.n_matching.store(0, Relaxed);
        self.current_object.store(0, Relaxed);
        self.set_asking(false);
    }

    pub(crate) fn set_asking(&self, asks_tracemalloc: bool) {
        self.asks_tracemalloc.store(asks_tracemalloc, Relaxed);
    }

    pub(crate) fn is_asking(&self) -> bool {
        self.asks_tracemalloc.load(Relaxed)
    }

    #[inline(always)]
    pub(crate) fn enter(&self, object: usize, type_object: usize) {
        self.traversed.store(object, Relaxed);
        self.current_type.store(type_object, Relaxed);
    }

    #[inline(always)]
    pub(crate) fn leave(&self) {
        self.current_type.store(0, Relaxed);
    }

    /// The object that is traversed, if one is: for as long as this does not change, it is that one.
    pub(crate) fn traversed(&self) -> Option<usize> {
        (self.current_type() != 0).then(|| self.traversed.load(Relaxed))
    }

    pub(crate) fn stop(&self) {
        self.must_stop.store(1, Relaxed);
    }

    pub(crate) fn must_stop(&self) -> bool {
        self.must_stop.load(Relaxed) != 0
    }

    pub(crate) fn current_type(&self) -> usize {
        self.current_type.load(Relaxed)
    }

    pub(crate) fn set_matching(&self, n_matching: usize) {
        self.n_matching.store(n_matching as u64, Relaxed);
    }

    pub(crate) fn n_matching(&self) -> u64 {
        self.n_matching.load(Relaxed)
    }

    pub(crate) fn enter_object(&self, index: usize) {
        self.n_told.store(0, Relaxed);
        self.current_object.store(index, Relaxed);
    }

    pub(crate) fn add_told(&self) {
        self.n_told.fetch_add(1, Relaxed);
    }

    pub(crate) fn n_told(&self) -> usize {
        self.n_told.load(Relaxed)
    }

    pub(crate) fn current_object(&self) -> usize {
        self.current_object.load(Relaxed)
    }
}
