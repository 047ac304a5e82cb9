//! What makes of the library an image that imports nothing.

use core::arch::asm;
use core::panic::PanicInfo;

use leakhunt_wire::Boot;

use crate::session::{Left, serve};
use crate::sys;

/// Where the stub's thread enters. Answers 0 when the image may be unmapped, else 1.
///
/// # Safety
/// As [`serve`]; `boot` points to the start data, which nothing changes meanwhile.
#[unsafe(no_mangle)]
unsafe extern "C" fn leakhunt_agent(boot: *const Boot) -> u32 {
    // SAFETY: by this function's contract.
    match unsafe { serve(&*boot) } {
        Left::Cleanly => 0,
        Left::BehindTheInterpreter => 1,
    }
}

/// A fault of the agent ends its thread, or its copy, and nothing else. The command line sees the
/// end of the copy, or the silence.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    crate::exit_guard::give_up();
    sys::exit_thread()
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's contract is that of C's `memcpy`.
    unsafe {
        asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _, inout("rsi") from => _,
            options(nostack, preserves_flags));
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) >= len {
        // SAFETY: the caller's contract; copying upwards does not overtake itself.
        return unsafe { memcpy(to, from, len) };
    }
    // SAFETY: the caller's contract; downwards, because `to` is within the source.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") len => _,
            inout("rdi") to.wrapping_add(len).wrapping_sub(1) => _,
            inout("rsi") from.wrapping_add(len).wrapping_sub(1) => _, options(nostack));
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    // SAFETY: the caller's contract is that of C's `memset`.
    unsafe {
        asm!("rep stosb", inout("rcx") len => _, inout("rdi") to => _, in("al") byte as u8,
            options(nostack, preserves_flags));
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    for index in 0..len {
        // SAFETY: the caller's contract. Volatile, so that this does not become a call of itself.
        let (left, right) = unsafe {
            (
                left.add(index).read_volatile(),
                right.add(index).read_volatile(),
            )
        };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: the caller's contract.
    unsafe { memcmp(left, right, len) }
}

/// Named by the unwind tables of `core`; never called, because a panic does not unwind.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    sys::exit_thread()
}
