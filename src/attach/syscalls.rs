//! System calls by number: those that a thread may be found waiting in.

/// A system call that a thread is in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Syscall {
    /// Its number on this architecture.
    pub number: i64,
    /// Its six arguments.
    pub arguments: [u64; 6],
}

/// What a system call waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WaitKind {
    /// A lock or condition: `futex`.
    Lock,
    /// Any of several descriptors: `poll`, `select`, `epoll_wait`.
    Poll,
    /// Time to pass, or a signal.
    Sleep,
    /// What the call itself does: data, a connection, a child process, a disk.
    Call,
}

impl Syscall {
    /// What `/proc/PID/task/TID/syscall` says: number, arguments, stack pointer, program counter;
    /// `running` or `-1 ...` for a thread that is in none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let number: i64 = fields.next()?.parse().ok()?;
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            *argument = u64::from_str_radix(fields.next()?.strip_prefix("0x")?, 16).ok()?;
        }
        (number >= 0).then_some(Self { number, arguments })
    }

    /// Its name; `None` for one that is not in the table.
    pub fn name(&self) -> Option<&'static str> {
        CALLS
            .iter()
            .find(|(_, x86_64, aarch64)| self.number == if IS_X86_64 { *x86_64 } else { *aarch64 })
            .map(|(name, ..)| *name)
    }

    /// What it waits for.
    pub fn wait_kind(&self) -> WaitKind {
        match self.name().unwrap_or_default() {
            "futex" | "futex_wait" | "futex_waitv" => WaitKind::Lock,
            // What `time.sleep` was made of up to 3.10: no descriptors, only a time limit.
            "select" | "pselect6" if self.arguments[0] == 0 => WaitKind::Sleep,
            "poll" | "ppoll" if self.arguments[1] == 0 => WaitKind::Sleep,
            "poll" | "ppoll" | "select" | "pselect6" | "epoll_wait" | "epoll_pwait"
            | "epoll_pwait2" | "io_uring_enter" | "io_getevents" => WaitKind::Poll,
            "nanosleep" | "clock_nanosleep" | "pause" | "rt_sigsuspend" | "rt_sigtimedwait" => {
                WaitKind::Sleep
            }
            _ => WaitKind::Call,
        }
    }

    /// The address of the lock that it waits for.
    pub fn lock_address(&self) -> Option<u64> {
        (self.wait_kind() == WaitKind::Lock).then_some(self.arguments[0])
    }
}

const IS_X86_64: bool = cfg!(target_arch = "x86_64");
/// The architecture has no such call.
const NONE: i64 = -1;

/// Name, number on x86-64 (`asm/unistd_64.h`), number on aarch64 (`asm-generic/unistd.h`).
#[rustfmt::skip]
const CALLS: [(&str, i64, i64); 78] = [
    ("accept", 43, 202),
    ("accept4", 288, 242),
    ("clock_nanosleep", 230, 115),
    ("close", 3, 57),
    ("connect", 42, 203),
    ("copy_file_range", 326, 285),
    ("epoll_pwait", 281, 22),
    ("epoll_pwait2", 441, 441),
    ("epoll_wait", 232, NONE),
    ("execve", 59, 221),
    ("exit", 60, 93),
    ("fallocate", 285, 47),
    ("fcntl", 72, 25),
    ("fdatasync", 75, 83),
    ("flock", 73, 32),
    ("fork", 57, NONE),
    ("fstat", 5, 80),
    ("fsync", 74, 82),
    ("ftruncate", 77, 46),
    ("futex", 202, 98),
    ("futex_wait", 455, 455),
    ("futex_waitv", 449, 449),
    ("getdents64", 217, 61),
    ("getrandom", 318, 278),
    ("io_getevents", 208, 4),
    ("io_uring_enter", 426, 426),
    ("ioctl", 16, 29),
    ("lseek", 8, 62),
    ("madvise", 28, 233),
    ("membarrier", 324, 283),
    ("mmap", 9, 222),
    ("mprotect", 10, 226),
    ("mq_timedreceive", 243, 183),
    ("mq_timedsend", 242, 182),
    ("mremap", 25, 216),
    ("msgrcv", 70, 188),
    ("msgsnd", 69, 189),
    ("msync", 26, 227),
    ("munmap", 11, 215),
    ("nanosleep", 35, 101),
    ("newfstatat", 262, 79),
    ("open", 2, NONE),
    ("openat", 257, 56),
    ("pause", 34, NONE),
    ("poll", 7, NONE),
    ("ppoll", 271, 73),
    ("pread64", 17, 67),
    ("preadv", 295, 69),
    ("pselect6", 270, 72),
    ("pwrite64", 18, 68),
    ("pwritev", 296, 70),
    ("read", 0, 63),
    ("readv", 19, 65),
    ("recvfrom", 45, 207),
    ("recvmmsg", 299, 243),
    ("recvmsg", 47, 212),
    ("rename", 82, NONE),
    ("restart_syscall", 219, 128),
    ("rt_sigsuspend", 130, 133),
    ("rt_sigtimedwait", 128, 137),
    ("sched_yield", 24, 124),
    ("select", 23, NONE),
    ("semop", 65, 193),
    ("semtimedop", 220, 192),
    ("sendfile", 40, 71),
    ("sendmmsg", 307, 269),
    ("sendmsg", 46, 211),
    ("sendto", 44, 206),
    ("splice", 275, 76),
    ("statx", 332, 291),
    ("sync_file_range", 277, 84),
    ("unlink", 87, NONE),
    ("unlinkat", 263, 35),
    ("vfork", 58, NONE),
    ("wait4", 61, 260),
    ("waitid", 247, 95),
    ("write", 1, 64),
    ("writev", 20, 66),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(line: &str) -> WaitKind {
        Syscall::parse(line).unwrap().wait_kind()
    }

    #[test]
    fn a_line_of_the_kernel_is_taken_apart() {
        let text = "202 0x7f01 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f10\n";
        let syscall = Syscall::parse(text).unwrap();
        assert_eq!((syscall.number, syscall.arguments[5]), (202, 0xffff_ffff));
        assert_eq!(Syscall::parse("running\n"), None);
        assert_eq!(Syscall::parse("-1 0x7ffd 0x7f10\n"), None);
        assert_eq!(Syscall::parse("202 0x1 0x2"), None);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn what_is_waited_for_follows_from_the_call() {
        let no_more = "0x0 0x0 0x0 0x0 0x0 0x1 0x1";
        assert_eq!(kind(&format!("202 0x9 {no_more}")), WaitKind::Lock);
        assert_eq!(kind(&format!("232 0x9 {no_more}")), WaitKind::Poll);
        assert_eq!(kind(&format!("23 0x0 {no_more}")), WaitKind::Sleep);
        assert_eq!(kind(&format!("23 0x5 {no_more}")), WaitKind::Poll);
        assert_eq!(kind(&format!("0 0x3 {no_more}")), WaitKind::Call);
        let unknown = Syscall::parse(&format!("9999 0x3 {no_more}")).unwrap();
        assert_eq!((unknown.name(), unknown.lock_address()), (None, None));
    }

    #[test]
    fn no_number_stands_twice() {
        let mut numbers: Vec<i64> = CALLS
            .iter()
            .map(|call| if IS_X86_64 { call.1 } else { call.2 })
            .filter(|&number| number != NONE)
            .collect();
        numbers.sort_unstable();
        let n_numbers = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), n_numbers);
    }
}
