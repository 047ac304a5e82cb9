//! Where generators keep what, and the frames in them. Offsets as those of [`crate::layout`], by
//! `offsetof`.

pub(crate) use leakhunt_wire::{NewFrame, OldFrame};

use crate::layout::Layout;

/// Offsets in a generator, a coroutine or an asynchronous generator.
pub(crate) struct Generator {
    /// Up to 3.10: the frame object.
    pub(crate) frame_object: usize,
    /// Up to 3.11.
    pub(crate) code: usize,
    pub(crate) name: usize,
    /// The exception that it handles: up to 3.10 type, value and traceback, later the value.
    pub(crate) exception: usize,
    pub(crate) n_exception: usize,
    /// `cr_origin` of a coroutine, `ag_finalizer` of an asynchronous generator.
    pub(crate) origin: usize,
    /// From 3.11: a byte, its value while the generator runs, and the one of a cleared frame.
    pub(crate) state: usize,
    pub(crate) running: i8,
    pub(crate) cleared: i8,
}

impl Generator {
    pub(crate) fn of(layout: &Layout) -> Self {
        let more = layout.header - 16;
        let (code, name, exception, n_exception, origin) = match layout.minor {
            8 | 9 => (32, 48, 64, 3, 96),
            10 => (24, 40, 56, 3, 88),
            11 => (16, 32, 48, 1, 64),
            _ => (0, 24 + more, 40 + more, 1, 56 + more),
        };
        let (running, cleared) = if layout.minor >= 15 { (4, 5) } else { (0, 4) };
        Self {
            frame_object: 16,
            code,
            name,
            exception,
            n_exception,
            origin,
            state: layout.generator_frame - 5,
            running,
            cleared,
        }
    }
}
