//! Reading the target's heap as words.

/// The right to read the heap.
///
/// While one exists no thread changes the heap: the holder has the GIL or a stopped world, or is a
/// copy of the target. Its methods are safe to call *for addresses that come from the heap itself*:
/// of live objects, or read from their fields as [`Layout`](crate::layout::Layout) says. That is
/// what the walker is about, and why its code is not one `unsafe` block.
#[derive(Clone, Copy)]
pub(crate) struct Memory(());

impl Memory {
    /// # Safety
    /// No other thread changes the heap while the value or a copy of it is used.
    pub(crate) unsafe fn of_a_heap_that_stands_still() -> Self {
        Self(())
    }

    #[inline(always)]
    fn read<T: Copy>(self, address: usize) -> T {
        // SAFETY: the address is of a field of a live object (see `Memory`). Unaligned, because a
        // list head of 3.13.18 is aligned to 4 bytes only.
        unsafe { (address as *const T).read_unaligned() }
    }

    #[inline(always)]
    pub(crate) fn word(self, address: usize) -> usize {
        self.read(address)
    }

    #[inline(always)]
    pub(crate) fn signed(self, address: usize) -> isize {
        self.read(address)
    }

    #[inline(always)]
    pub(crate) fn half(self, address: usize) -> u32 {
        self.read(address)
    }

    #[inline(always)]
    pub(crate) fn byte(self, address: usize) -> u8 {
        self.read(address)
    }

    pub(crate) fn float(self, address: usize) -> f64 {
        self.read(address)
    }

    /// `len` bytes that stay as they are for as long as the caller holds them.
    pub(crate) fn bytes<'a>(self, address: usize, len: usize) -> &'a [u8] {
        if len == 0 {
            return &[];
        }
        // SAFETY: as in `read`; nothing changes the heap while the bytes are looked at.
        unsafe { core::slice::from_raw_parts(address as *const u8, len) }
    }

    /// A C string of at most 4096 bytes.
    pub(crate) fn c_string<'a>(self, address: usize) -> &'a [u8] {
        if address == 0 {
            return &[];
        }
        let len = (0..4096)
            .position(|offset| self.byte(address + offset) == 0)
            .unwrap_or(4096);
        self.bytes(address, len)
    }
}

/// Asks the processor to load an address that will be read soon. Any address will do.
#[inline(always)]
pub(crate) fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address has no effect that a program can see.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(
            address as *const i8,
        );
    }
}
