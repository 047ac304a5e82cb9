//! Where a thread may be borrowed: holding no lock that `pthread_create` wants.

use std::ops::Range;

use libc::user_regs_struct;

use crate::interpreter::Interpreter;
use crate::libc_in_target::Libc;
use crate::memory::Memory;

/// The places of one target.
#[derive(Debug)]
pub(crate) struct SafePoints {
    /// Code of the interpreter; empty when the allocator is in the same module.
    python_text: Vec<Range<u64>>,
    musl_data: Option<Vec<Range<u64>>>,
    /// Where a signal handler returns to.
    sigreturn: u64,
}

/// What a thread is doing, as `/proc/PID/task/TID/syscall` tells without stopping it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Doing {
    /// On a processor, or about to be.
    Running,
    /// Waiting in a system call.
    InSyscall { number: i64, arguments: [u64; 6] },
}

/// How much of the used stack is searched for a signal handler's frame.
const STACK_SEARCH: usize = 64 * 1024;

impl SafePoints {
    /// Of a target.
    pub(crate) fn new(interpreter: &Interpreter, libc: &Libc) -> Self {
        Self {
            python_text: if interpreter.has_malloc {
                Vec::new()
            } else {
                interpreter.text.clone()
            },
            musl_data: libc.musl_data.clone(),
            sigreturn: libc.sigreturn,
        }
    }

    /// How well a thread in a system call can be borrowed, 0 best; `None` for not at all.
    ///
    /// 0: restarted by the kernel. 1: may give `EINTR`, which CPython retries (PEP 475). 2: the same,
    /// and less often waited in by Python.
    pub(crate) fn rank(&self, number: i64, arguments: &[u64; 6]) -> Option<u8> {
        match number {
            libc::SYS_futex => self.is_safe_futex(arguments).then_some(0),
            libc::SYS_poll
            | libc::SYS_ppoll
            | libc::SYS_select
            | libc::SYS_pselect6
            | libc::SYS_nanosleep
            | libc::SYS_clock_nanosleep
            | libc::SYS_wait4
            | libc::SYS_waitid
            | libc::SYS_pause
            | libc::SYS_rt_sigsuspend
            | libc::SYS_accept
            | libc::SYS_accept4
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            // How a wait is shown that was interrupted before.
            | libc::SYS_restart_syscall => Some(0),
            libc::SYS_epoll_wait
            | libc::SYS_epoll_pwait
            | libc::SYS_epoll_pwait2
            | libc::SYS_read
            | libc::SYS_sendto
            | libc::SYS_sendmsg => Some(1),
            libc::SYS_write
            | libc::SYS_connect
            | libc::SYS_rt_sigtimedwait
            | libc::SYS_flock
            | libc::SYS_fcntl => Some(2),
            _ => None,
        }
    }

    /// The locks within glibc (malloc, the loader, stdio) wait by `FUTEX_WAIT`; its condition
    /// variables and semaphores, and so Python's locks, by `FUTEX_WAIT_BITSET`. musl has but one
    /// way to wait, and its own locks are static.
    fn is_safe_futex(&self, arguments: &[u64; 6]) -> bool {
        const COMMAND: u64 = 0x7f;
        const WAIT: u64 = 0;
        const WAIT_BITSET: u64 = 9;
        match (arguments[1] & COMMAND, &self.musl_data) {
            (WAIT_BITSET, _) => true,
            (WAIT, Some(data)) => !data.iter().any(|range| range.contains(&arguments[0])),
            _ => false,
        }
    }

    /// Whether a stopped thread stands at a safe point, and which.
    ///
    /// # Errors
    /// Where it stands instead.
    pub(crate) fn check(
        &self,
        registers: &user_regs_struct,
        memory: &Memory,
    ) -> Result<String, String> {
        let number = registers.orig_rax as i64;
        let point = if number >= 0 {
            self.check_syscall(number, registers)?
        } else if self
            .python_text
            .iter()
            .any(|text| text.contains(&registers.rip))
        {
            format!("running Python at {:#x}", registers.rip)
        } else {
            return Err(format!("running native code at {:#x}", registers.rip));
        };
        if !has_thread_block(registers, memory) {
            return Err("not a thread of libc".into());
        }
        let stack = memory.read_some(registers.rsp, STACK_SEARCH);
        let in_handler = stack
            .chunks_exact(8)
            .any(|word| word == self.sigreturn.to_le_bytes());
        if in_handler {
            return Err(format!("{point}, in a signal handler"));
        }
        Ok(point)
    }

    fn check_syscall(&self, number: i64, registers: &user_regs_struct) -> Result<String, String> {
        /// From `-ERESTART_RESTARTBLOCK` to any error: it was waiting.
        const INTERRUPTED: Range<i64> = -516..0;
        let r = registers;
        let arguments = [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9];
        let is_waiting = INTERRUPTED.contains(&(r.rax as i64));
        if is_waiting && self.rank(number, &arguments).is_some() {
            Ok(format!("in system call {number}"))
        } else {
            Err(format!("in system call {number} at {:#x}", r.rip))
        }
    }
}

/// glibc and musl keep the address of the thread's block in its first word.
fn has_thread_block(registers: &user_regs_struct, memory: &Memory) -> bool {
    let block = registers.fs_base;
    block != 0 && memory.read_u64(block).is_ok_and(|first| first == block)
}

/// What a thread is doing; `None` when it is gone.
pub(crate) fn doing(pid: u32, tid: u32) -> Option<Doing> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    parse_doing(&text)
}

/// `running`, `-1 SP PC`, or `NUMBER ARGUMENT*6 SP PC`.
fn parse_doing(text: &str) -> Option<Doing> {
    let mut fields = text.split_ascii_whitespace();
    let number = fields.next()?.parse().unwrap_or(-1);
    if number < 0 {
        return Some(Doing::Running);
    }
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        let hex = fields.next()?.strip_prefix("0x")?;
        *argument = u64::from_str_radix(hex, 16).ok()?;
    }
    Some(Doing::InSyscall { number, arguments })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(musl_data: Option<Vec<Range<u64>>>) -> SafePoints {
        SafePoints {
            python_text: Vec::new(),
            musl_data,
            sigreturn: 0,
        }
    }

    #[test]
    fn the_state_of_a_thread_is_read() {
        assert_eq!(parse_doing("running\n"), Some(Doing::Running));
        assert_eq!(parse_doing("-1 0x7ffe 0x7f00\n"), Some(Doing::Running));
        let expected = Doing::InSyscall {
            number: 202,
            arguments: [1, 0x189, 0, 0, 0, 0xffff_ffff],
        };
        let text = "202 0x1 0x189 0x0 0x0 0x0 0xffffffff 0x7ffe 0x7f00\n";
        assert_eq!(parse_doing(text), Some(expected));
        assert_eq!(parse_doing("202 0x1 0x189"), None);
        assert_eq!(parse_doing(""), None);
    }

    #[test]
    fn a_thread_that_waits_for_a_lock_of_libc_is_left_alone() {
        let wait = |address| [address, 0x80, 2, 0, 0, 0];
        let wait_bitset = [0x5000, 0x189, 0, 0, 0, 0];
        assert_eq!(points(None).rank(libc::SYS_futex, &wait_bitset), Some(0));
        assert_eq!(points(None).rank(libc::SYS_futex, &wait(0x5000)), None);
        let musl = points(Some(vec![0x1000..0x2000, 0x3000..0x3800]));
        assert_eq!(musl.rank(libc::SYS_futex, &wait(0x1800)), None);
        assert_eq!(musl.rank(libc::SYS_futex, &wait(0x5000)), Some(0));
    }

    #[test]
    fn a_wait_that_was_interrupted_before_is_safe() {
        assert_eq!(
            points(None).rank(libc::SYS_restart_syscall, &[0; 6]),
            Some(0)
        );
        assert_eq!(points(None).rank(libc::SYS_openat, &[0; 6]), None);
    }
}
