//! The way back: a signal frame on the stopped thread's own stack.
//!
//! While the thread works for us, everything that it was is in this frame, laid out as the kernel
//! does it for a signal handler. Returning to the frame's first word runs libc's `rt_sigreturn`,
//! which restores general, floating-point and vector registers and the signal mask in one step. So
//! the thread finds home by itself, wherever we were killed. (Linux, `arch/x86/kernel/signal_64.c`
//! and `arch/x86/kernel/fpu/signal.c`.)

use std::arch::x86_64::__cpuid_count;

use libc::user_regs_struct;

/// What a thread was when it was stopped.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) registers: user_regs_struct,
    pub(crate) extended_state: Vec<u8>,
    pub(crate) signal_mask: u64,
}

/// A frame and where it has to stand.
#[derive(Debug)]
pub(crate) struct SignalFrame {
    /// Address of its first word, the return address. A thread whose stack pointer is here goes
    /// back by `ret`.
    pub(crate) address: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What compilers may use below the stack pointer.
const RED_ZONE: u64 = 128;
const CONTEXT_WORDS: usize = 38;
/// The return address, the `ucontext`, the `siginfo`.
const FRAME_LEN: u64 = 8 + 8 * CONTEXT_WORDS as u64 + 128;

impl SignalFrame {
    /// For a thread stopped as `saved`; `restorer` is libc's code that calls `rt_sigreturn`.
    pub(crate) fn new(saved: &Saved, restorer: u64, resumes_at_syscall: bool) -> Self {
        let state = extended_state(&saved.extended_state);
        let stack = saved.registers.rsp.wrapping_sub(RED_ZONE);
        let state_address = stack.wrapping_sub(state.len() as u64) & !63;
        // As at the entry of a function: 8 bytes below a multiple of 16.
        let address = (state_address.wrapping_sub(FRAME_LEN) & !15).wrapping_sub(8);
        let mut bytes = restorer.to_le_bytes().to_vec();
        for word in context(saved, state_address, resumes_at_syscall) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.resize(state_address.wrapping_sub(address) as usize, 0);
        bytes.extend_from_slice(&state);
        Self { address, bytes }
    }

    /// A frame in front of this one: a thread that goes back by it first calls a function with two
    /// arguments, which then returns to this frame.
    pub(crate) fn before(
        &self,
        registers: &user_regs_struct,
        restorer: u64,
        (function, arguments): (u64, [u64; 2]),
        signal_mask: u64,
    ) -> Self {
        const NO_STATE: u64 = 0;
        let mut registers = *registers;
        registers.orig_rax = u64::MAX;
        registers.rip = function;
        registers.rsp = self.address;
        [registers.rdi, registers.rsi] = arguments;
        let saved = Saved {
            registers,
            extended_state: Vec::new(),
            signal_mask,
        };
        let mut bytes = restorer.to_le_bytes().to_vec();
        for word in context(&saved, NO_STATE, false) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        let address = (self.address.wrapping_sub(FRAME_LEN) & !15).wrapping_sub(8);
        Self { address, bytes }
    }

    /// Address of the `ucontext`, at which the stack pointer stands when `rt_sigreturn` is called.
    pub(crate) fn context_address(&self) -> u64 {
        self.address.wrapping_add(8)
    }
}

/// The `ucontext`: flags, link, alternate stack, `sigcontext`, signal mask.
fn context(saved: &Saved, state: u64, resumes_at_syscall: bool) -> [u64; CONTEXT_WORDS] {
    /// `UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS`.
    const FLAGS: u64 = 1 | 2 | 4;
    /// No valid mode: the kernel leaves the thread's alternate stack as it is.
    const KEEP_ALTERNATE_STACK: u64 = 0x40;
    let r = &saved.registers;
    let (rax, rip) = after_syscall(r, resumes_at_syscall);
    let segments = (r.cs & 0xffff) | (r.gs & 0xffff) << 16 | (r.fs & 0xffff) << 32 | r.ss << 48;
    let mut words = [0; CONTEXT_WORDS];
    words[0] = FLAGS;
    words[3] = KEEP_ALTERNATE_STACK;
    words[5..24].copy_from_slice(&[
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx, r.rdx,
        rax, r.rcx, r.rsp, rip, r.eflags, segments,
    ]);
    words[28] = state;
    words[37] = saved.signal_mask;
    words
}

/// `rax` and `rip` as the kernel would leave them for a system call that was interrupted and no
/// handler ran: it is done again. One that needs the restart block fails with `EINTR`, because
/// `rt_sigreturn` drops that block.
fn after_syscall(registers: &user_regs_struct, resumes_at_syscall: bool) -> (u64, u64) {
    const RESTART: std::ops::RangeInclusive<i64> = -514..=-512;
    const RESTART_BLOCK: i64 = -516;
    const SYSCALL_LEN: u64 = 2;
    let (rax, rip) = (registers.rax, registers.rip);
    let result = rax as i64;
    let is_in_syscall = registers.orig_rax as i64 >= 0;
    if is_in_syscall && RESTART.contains(&result) && resumes_at_syscall {
        (registers.orig_rax, rip - SYSCALL_LEN)
    } else if is_in_syscall && (RESTART.contains(&result) || result == RESTART_BLOCK) {
        (-i64::from(libc::EINTR) as u64, rip)
    } else {
        (rax, rip)
    }
}

/// The state as ptrace gave it, with the marks by which the kernel knows a frame's state: a struct
/// in the bytes that the processor leaves to software, and a word after the end.
fn extended_state(state: &[u8]) -> Vec<u8> {
    const MAGIC_1: u32 = 0x4650_5853;
    const MAGIC_2: u32 = 0x4650_5845;
    const SOFTWARE: usize = 464;
    const FEATURES_IN_USE: usize = 512;
    const DYNAMIC: u64 = 1 << 18;
    let word = |at| crate::elf::u64_at(state, at).unwrap_or(0);
    let mut features = word(SOFTWARE);
    if word(FEATURES_IN_USE) & DYNAMIC == 0 {
        // The thread has no room for the tiles of AMX in its state and none are in use.
        features &= !DYNAMIC;
    }
    let len = state.len().min(state_len(features));
    let mut bytes = state[..len].to_vec();
    if let Some(software) = bytes.get_mut(SOFTWARE..FEATURES_IN_USE) {
        let len = len as u32;
        software.fill(0);
        software[..4].copy_from_slice(&MAGIC_1.to_le_bytes());
        software[4..8].copy_from_slice(&(len + 4).to_le_bytes());
        software[8..16].copy_from_slice(&features.to_le_bytes());
        software[16..20].copy_from_slice(&len.to_le_bytes());
    }
    bytes.extend_from_slice(&MAGIC_2.to_le_bytes());
    bytes
}

/// Bytes of the state with these features (Intel SDM, volume 1, 13.4: `cpuid` leaf 0xd).
fn state_len(features: u64) -> usize {
    const LEAF: u32 = 0xd;
    const LEGACY_AND_HEADER: u32 = 576;
    let ends = (2..63).filter(|bit| features >> bit & 1 == 1).map(|bit| {
        let part = __cpuid_count(LEAF, bit);
        part.eax.saturating_add(part.ebx)
    });
    ends.max().unwrap_or(0).max(LEGACY_AND_HEADER) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(orig_rax: i64, rax: i64) -> Saved {
        // SAFETY: the struct is made of integers only, for which zero is a value.
        let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
        registers.orig_rax = orig_rax as u64;
        registers.rax = rax as u64;
        registers.rip = 0x1002;
        registers.rsp = 0x7fff_0000_0123;
        Saved {
            registers,
            extended_state: vec![0; 4096],
            signal_mask: 5,
        }
    }

    #[test]
    fn an_interrupted_system_call_is_done_again() {
        let back = |orig_rax, rax| after_syscall(&saved(orig_rax, rax).registers, true);
        assert_eq!(back(0, -512), (0, 0x1000));
        assert_eq!(back(271, -514), (271, 0x1000));
        assert_eq!(back(230, -516), (-4_i64 as u64, 0x1002));
        assert_eq!(back(232, -4), (-4_i64 as u64, 0x1002));
        assert_eq!(back(-1, -512), (-512_i64 as u64, 0x1002));
    }

    #[test]
    fn a_frame_is_below_the_red_zone_and_aligned_as_the_kernel_wants_it() {
        let saved = saved(-1, 7);
        let frame = SignalFrame::new(&saved, 0xabc, true);
        assert_eq!(frame.address % 16, 8);
        assert!(frame.address + frame.bytes.len() as u64 <= saved.registers.rsp - RED_ZONE);
        let word = |at| crate::elf::u64_at(&frame.bytes, at).expect("it is within the frame");
        assert_eq!(word(0), 0xabc);
        assert_eq!(word(8 + 28 * 8) % 64, 0);
        assert_eq!(word(8 + 37 * 8), 5);
        assert_eq!(word(8 + (5 + 16) * 8), 0x1002);
    }
}
