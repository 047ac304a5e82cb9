//! Whether the target's seccomp filters let the stub and the agent live. A filter that kills on a
//! system call kills the whole target, so it is asked before anything is done.

use crate::AttachError;
use crate::bpf::{Call, run};
use crate::tracee::Tracee;

/// What becomes of a system call, from the harshest on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verdict {
    /// The process or the thread is killed, or gets a SIGSYS.
    Kills,
    /// It fails.
    Denies,
    Allows,
}

/// A system call with arguments as the stub, libc and the agent make it.
struct Needed {
    name: &'static str,
    call: Call,
    /// Whether the attach cannot come to an end without it.
    is_vital: bool,
}

/// Asks the filters of a stopped thread.
///
/// # Errors
/// When a needed call kills or a vital one is denied; when the filters cannot be read, unless
/// `force`.
pub(crate) fn check(pid: u32, tracee: &Tracee, force: bool) -> Result<(), AttachError> {
    let filters = match filters(tracee) {
        Ok(filters) => filters,
        Err(_) if force => return Ok(()),
        Err(source) => return Err(AttachError::SeccompUnreadable { pid, source }),
    };
    judge(pid, &filters)
}

/// The most filters of one thread; the kernel limits their total length too.
const MAX_FILTERS: usize = 4096;

fn filters(tracee: &Tracee) -> std::io::Result<Vec<Vec<u64>>> {
    let mut filters = Vec::new();
    for index in 0..MAX_FILTERS {
        match tracee.seccomp_filter(index)? {
            Some(filter) => filters.push(filter),
            None => break,
        }
    }
    Ok(filters)
}

fn judge(pid: u32, filters: &[Vec<u64>]) -> Result<(), AttachError> {
    for needed in needed() {
        let verdict = filters
            .iter()
            .map(|filter| verdict(run(filter, &needed.call)))
            .min();
        let syscall = needed.name;
        match verdict {
            Some(Verdict::Kills) => return Err(AttachError::SeccompKills { pid, syscall }),
            Some(Verdict::Denies) if needed.is_vital => {
                return Err(AttachError::SeccompDenies { pid, syscall });
            }
            _ => {}
        }
    }
    Ok(())
}

/// By the action of a filter; one that we cannot run may do anything.
fn verdict(result: Option<u32>) -> Verdict {
    const ACTION: u32 = 0xffff_0000;
    const ALLOW: u32 = 0x7fff_0000;
    const LOG: u32 = 0x7ffc_0000;
    const NOTIFY: u32 = 0x7fc0_0000;
    const TRACE: u32 = 0x7ff0_0000;
    const ERRNO: u32 = 0x0005_0000;
    match result.map(|result| result & ACTION) {
        Some(ALLOW | LOG | NOTIFY) => Verdict::Allows,
        Some(ERRNO | TRACE) => Verdict::Denies,
        _ => Verdict::Kills,
    }
}

/// All calls of stub, libc's thread creation and the agent.
fn needed() -> Vec<Needed> {
    const DATA: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    const CODE: u64 = (libc::PROT_READ | libc::PROT_EXEC) as u64;
    const PRIVATE: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    const FIXED: u64 = PRIVATE | libc::MAP_FIXED as u64;
    const SOCKET_KIND: u64 = (libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC) as u64;
    /// What glibc and musl pass for a thread.
    const THREAD_FLAGS: u64 = 0x3d_0f00;
    /// What the agent passes for its copy of the target: no exit signal.
    const COPY_FLAGS: u64 = 0;
    const NO_FILE: u64 = u64::MAX;
    const ADDRESS: u64 = 0x7f00_0000_0000;
    const FD: u64 = 10;
    const LEN: u64 = 0x2_0000;
    const PID: u64 = 1000;
    let vital = |name, number, arguments| Needed {
        name,
        call: Call { number, arguments },
        is_vital: true,
    };
    let other = |name, number, arguments| Needed {
        is_vital: false,
        ..vital(name, number, arguments)
    };
    let wait_private = libc::FUTEX_WAIT_BITSET as u64 | libc::FUTEX_PRIVATE_FLAG as u64;
    vec![
        vital("mmap", libc::SYS_mmap, [0, LEN, DATA, PRIVATE, NO_FILE, 0]),
        vital(
            "mmap (for code)",
            libc::SYS_mmap,
            [ADDRESS, LEN, CODE, FIXED, NO_FILE, 0],
        ),
        vital("munmap", libc::SYS_munmap, [ADDRESS, LEN, 0, 0, 0, 0]),
        vital(
            "socketpair",
            libc::SYS_socketpair,
            [1, SOCKET_KIND, 0, ADDRESS, 0, 0],
        ),
        vital("ppoll", libc::SYS_ppoll, [0, 0, ADDRESS, 0, 8, 0]),
        vital("rt_sigreturn", libc::SYS_rt_sigreturn, [0; 6]),
        vital("poll", libc::SYS_poll, [ADDRESS, 1, 3000, 0, 0, 0]),
        vital("read", libc::SYS_read, [FD, ADDRESS, 1, 0, 0, 0]),
        vital("close", libc::SYS_close, [FD, 0, 0, 0, 0, 0]),
        vital("exit", libc::SYS_exit, [0; 6]),
        vital(
            "futex",
            libc::SYS_futex,
            [ADDRESS, wait_private, 0, 0, 0, 0],
        ),
        vital(
            "sendto",
            libc::SYS_sendto,
            [FD, ADDRESS, 10, libc::MSG_NOSIGNAL as u64, 0, 0],
        ),
        vital("recvfrom", libc::SYS_recvfrom, [FD, ADDRESS, LEN, 0, 0, 0]),
        // libc falls back from one to the other where it fails.
        other("clone3", libc::SYS_clone3, [ADDRESS, 88, 0, 0, 0, 0]),
        vital(
            "clone",
            libc::SYS_clone,
            [THREAD_FLAGS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, 0],
        ),
        // Where it fails the agent walks in place.
        other(
            "clone (for a copy)",
            libc::SYS_clone,
            [COPY_FLAGS, 0, 0, 0, 0, 0],
        ),
        other("write", libc::SYS_write, [FD, ADDRESS, LEN, 0, 0, 0]),
        other("sendmsg", libc::SYS_sendmsg, [FD, ADDRESS, 0, 0, 0, 0]),
        other("recvmsg", libc::SYS_recvmsg, [FD, ADDRESS, 0, 0, 0, 0]),
        other(
            "mprotect",
            libc::SYS_mprotect,
            [ADDRESS, LEN, DATA, 0, 0, 0],
        ),
        other("madvise", libc::SYS_madvise, [ADDRESS, LEN, 4, 0, 0, 0]),
        other("prctl", libc::SYS_prctl, [15, ADDRESS, 0, 0, 0, 0]),
        other(
            "close_range",
            libc::SYS_close_range,
            [3, u32::MAX as u64, 0, 0, 0, 0],
        ),
        other("fstat", libc::SYS_fstat, [FD, ADDRESS, 0, 0, 0, 0]),
        other(
            "getsockname",
            libc::SYS_getsockname,
            [FD, ADDRESS, ADDRESS, 0, 0, 0],
        ),
        other(
            "getpeername",
            libc::SYS_getpeername,
            [FD, ADDRESS, ADDRESS, 0, 0, 0],
        ),
        other(
            "getsockopt",
            libc::SYS_getsockopt,
            [FD, 6, 11, ADDRESS, ADDRESS, 0],
        ),
        other("exit_group", libc::SYS_exit_group, [0; 6]),
        other(
            "rt_sigprocmask",
            libc::SYS_rt_sigprocmask,
            [2, ADDRESS, 0, 8, 0, 0],
        ),
        other(
            "rt_sigaction",
            libc::SYS_rt_sigaction,
            [11, ADDRESS, 0, 8, 0, 0],
        ),
        other(
            "set_robust_list",
            libc::SYS_set_robust_list,
            [ADDRESS, 24, 0, 0, 0, 0],
        ),
        other("rseq", libc::SYS_rseq, [ADDRESS, 32, 0, 0x5305_3053, 0, 0]),
        other(
            "wait4",
            libc::SYS_wait4,
            [PID, ADDRESS, 0x4000_0001, 0, 0, 0],
        ),
        other("kill", libc::SYS_kill, [PID, 9, 0, 0, 0, 0]),
        other("tgkill", libc::SYS_tgkill, [PID, PID, 9, 0, 0, 0]),
        other("setitimer", libc::SYS_setitimer, [0, ADDRESS, 0, 0, 0, 0]),
        other("setrlimit", libc::SYS_setrlimit, [4, ADDRESS, 0, 0, 0, 0]),
        other("prlimit64", libc::SYS_prlimit64, [0, 4, ADDRESS, 0, 0, 0]),
        other("getpid", libc::SYS_getpid, [0; 6]),
        other("gettid", libc::SYS_gettid, [0; 6]),
        other(
            "clock_gettime",
            libc::SYS_clock_gettime,
            [1, ADDRESS, 0, 0, 0, 0],
        ),
        other("sched_yield", libc::SYS_sched_yield, [0; 6]),
        other(
            "process_vm_readv",
            libc::SYS_process_vm_readv,
            [PID, ADDRESS, 1, ADDRESS, 1, 0],
        ),
        other(
            "mincore",
            libc::SYS_mincore,
            [ADDRESS, LEN, ADDRESS, 0, 0, 0],
        ),
        other("mremap", libc::SYS_mremap, [ADDRESS, LEN, LEN, 1, 0, 0]),
        other("shutdown", libc::SYS_shutdown, [FD, 0, 0, 0, 0, 0]),
        other("fcntl", libc::SYS_fcntl, [FD, 1030, 3, 0, 0, 0]),
        other(
            "openat",
            libc::SYS_openat,
            [NO_FILE - 99, ADDRESS, 2, 0, 0, 0],
        ),
        other("dup2", libc::SYS_dup2, [0, 1, 0, 0, 0, 0]),
        other("getppid", libc::SYS_getppid, [0; 6]),
        other("setpgid", libc::SYS_setpgid, [0; 6]),
        other("pidfd_open", libc::SYS_pidfd_open, [PID, 0, 0, 0, 0, 0]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(code: u16, if_true: u8, if_false: u8, operand: u32) -> u64 {
        u64::from(code)
            | u64::from(if_true) << 16
            | u64::from(if_false) << 24
            | u64::from(operand) << 32
    }

    /// Does `action` on system call `number` and allows all others.
    fn filter(number: i64, action: u32) -> Vec<u64> {
        vec![
            raw(0x20, 0, 0, 0),
            raw(0x15, 0, 1, number as u32),
            raw(0x06, 0, 0, action),
            raw(0x06, 0, 0, 0x7fff_0000),
        ]
    }

    fn message(filters: &[Vec<u64>]) -> Option<String> {
        judge(7, filters).err().map(|error| error.to_string())
    }

    #[test]
    fn a_filter_that_kills_is_refused_by_the_name_of_the_call() {
        for kill in [0, 0x8000_0000, 0x0003_0000] {
            let found = message(&[filter(libc::SYS_socketpair, kill)]);
            let expected = "the seccomp filter of process 7 would kill it on socketpair";
            assert_eq!(found.as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_harshest_filter_counts() {
        let allow = vec![raw(0x06, 0, 0, 0x7fff_0000)];
        let kill = filter(libc::SYS_rseq, 0x8000_0000);
        let found = message(&[allow.clone(), kill, allow.clone()]);
        assert!(found.is_some_and(|text| text.contains("rseq")));
        assert_eq!(message(&[allow]), None);
    }

    #[test]
    fn a_call_that_may_fail_is_denied_only_where_it_is_vital() {
        const EPERM: u32 = 0x0005_0001;
        assert_eq!(message(&[filter(libc::SYS_clone3, EPERM)]), None);
        let found = message(&[filter(libc::SYS_ppoll, EPERM)]);
        assert!(found.is_some_and(|text| text.contains("denies ppoll")));
    }

    #[test]
    fn a_filter_that_cannot_be_run_counts_as_one_that_kills() {
        assert!(message(&[vec![raw(0xffff, 0, 0, 0)]]).is_some());
    }
}
