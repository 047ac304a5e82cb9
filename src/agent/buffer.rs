//! Growing arrays in memory of the agent's own: no byte of the target's allocator is used.

use crate::sys;

/// Memory for the agent's own use was refused, or is over its limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NoMemory;

/// How much a walk may take for itself, and has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    limit_bytes: usize,
    used_bytes: usize,
}

impl Budget {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX),
            used_bytes: 0,
        }
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used_bytes as u64
    }

    fn take(&mut self, bytes: usize) -> Result<(), NoMemory> {
        let used_bytes = self.used_bytes.checked_add(bytes).ok_or(NoMemory)?;
        if used_bytes > self.limit_bytes {
            return Err(NoMemory);
        }
        self.used_bytes = used_bytes;
        Ok(())
    }
}

/// An array that grows; elements start as zero bytes.
///
/// `T` must be valid when all its bytes are zero and must need no `Drop`: see [`Plain`].
pub(crate) struct Buffer<T: Plain> {
    start: *mut T,
    len: usize,
    capacity: usize,
}

/// Types for which zeroed memory is a value.
///
/// # Safety
/// All bytes zero must be a valid value, and dropping must do nothing.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: numbers are valid for all bytes.
unsafe impl Plain for u8 {}
// SAFETY: as above.
unsafe impl Plain for u16 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for usize {}

const PAGE: usize = 4096;

impl<T: Plain> Buffer<T> {
    pub(crate) const fn new() -> Self {
        Self {
            start: core::ptr::NonNull::dangling().as_ptr(),
            len: 0,
            capacity: 0,
        }
    }

    /// An array of `len` zeroed elements.
    pub(crate) fn zeroed(len: usize, budget: &mut Budget) -> Result<Self, NoMemory> {
        let mut buffer = Self::new();
        buffer.grow_to(len, budget)?;
        buffer.len = len;
        Ok(buffer)
    }

    fn bytes_for(capacity: usize) -> Result<usize, NoMemory> {
        let bytes = capacity.checked_mul(size_of::<T>()).ok_or(NoMemory)?;
        bytes.checked_next_multiple_of(PAGE).ok_or(NoMemory)
    }

    fn grow_to(&mut self, capacity: usize, budget: &mut Budget) -> Result<(), NoMemory> {
        if capacity <= self.capacity {
            return Ok(());
        }
        let old_bytes = Self::bytes_for(self.capacity)?;
        let bytes = Self::bytes_for(capacity)?;
        budget.take(bytes - old_bytes)?;
        let start = if old_bytes == 0 {
            sys::map(bytes)
        } else {
            // SAFETY: the mapping is this buffer's, and `&mut self` says that no element is borrowed.
            unsafe { sys::remap(self.start.cast(), old_bytes, bytes) }
        };
        self.start = start.map_err(|_| NoMemory)?.cast();
        self.capacity = bytes / size_of::<T>();
        Ok(())
    }

    pub(crate) fn push(&mut self, value: T, budget: &mut Budget) -> Result<(), NoMemory> {
        if self.len == self.capacity {
            self.grow_to((self.capacity * 2).max(1024), budget)?;
        }
        // SAFETY: `len < capacity`, so that the place is within the mapping.
        unsafe { self.start.add(self.len).write(value) };
        self.len += 1;
        Ok(())
    }

    /// Adds `count` zeroed elements and answers the index of the first.
    pub(crate) fn extend_zeroed(
        &mut self,
        count: usize,
        budget: &mut Budget,
    ) -> Result<usize, NoMemory> {
        let first = self.len;
        let len = first.checked_add(count).ok_or(NoMemory)?;
        if len > self.capacity {
            // To grow costs little: the pages stay where they are. Room to spare counts, too.
            self.grow_to(len.max(self.capacity + self.capacity / 4), budget)?;
        }
        self.len = len;
        Ok(first)
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: the element was written, and is of a type that may be copied out.
        Some(unsafe { self.start.add(self.len).read() })
    }
}

impl<T: Plain> core::ops::Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `len` elements are mapped and hold values; dangling only when `len` is 0.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T: Plain> core::ops::DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `&mut self` makes it the only borrow.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl<T: Plain> Drop for Buffer<T> {
    fn drop(&mut self) {
        if let Ok(bytes) = Self::bytes_for(self.capacity)
            && bytes > 0
        {
            // SAFETY: the mapping is this buffer's and nothing borrows it any more.
            unsafe { sys::unmap(self.start.cast(), bytes) };
        }
    }
}
