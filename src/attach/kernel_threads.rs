//! The threads of a process as the kernel knows them: state, CPU time, the system call that each
//! waits in.

use std::io;
use std::time::Duration;

use crate::syscalls::Syscall;

/// A thread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelThread {
    /// Its number, as the caller sees it.
    pub native_id: u32,
    /// Its number as the process itself sees it: another in a PID namespace of its own.
    pub inner_id: u32,
    /// The name that the kernel has for it: of at most 15 bytes, by default that of the program.
    pub comm: String,
    /// `R` runs or is about to, `S` sleeps, `D` sleeps and cannot be woken, `T` stopped by job
    /// control, `t` by a tracer, `Z` ended.
    pub state: char,
    /// CPU time in user mode; the kernel counts it in steps of 10 ms as a rule.
    pub user_time: Duration,
    /// CPU time in the kernel.
    pub system_time: Duration,
    /// The system call that it sleeps in. `None` while it runs, and for who may not trace it.
    pub syscall: Option<Syscall>,
}

impl KernelThread {
    /// One thread, once more; `None` where it is gone.
    pub fn read_again(&self, pid: u32) -> Option<Self> {
        Self::read(pid, self.native_id, ticks_per_second())
    }

    fn read(pid: u32, native_id: u32, ticks_per_second: u64) -> Option<Self> {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/task/{native_id}/{file}"));
        let read = |file| read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let stat = Stat::parse(&read("stat").ok()?)?;
        let time = |ticks: u64| Duration::from_millis(ticks * 1000 / ticks_per_second);
        Some(Self {
            native_id,
            inner_id: read("status")
                .ok()
                .and_then(|status| inner_id(&status))
                .unwrap_or(native_id),
            comm: stat.comm,
            state: stat.state,
            user_time: time(stat.user_ticks),
            system_time: time(stat.system_ticks),
            syscall: read("syscall").ok().and_then(|text| Syscall::parse(&text)),
        })
    }
}

/// The most threads that are looked at.
pub(crate) const MOST_THREADS: usize = 10_000;

/// The threads of a process, by number: at most 10,000. About 50 µs each; nothing is stopped.
///
/// # Errors
/// When there is no such process.
pub fn kernel_threads(pid: u32) -> io::Result<Vec<KernelThread>> {
    let ticks_per_second = ticks_per_second();
    let mut ids: Vec<u32> = std::fs::read_dir(format!("/proc/{pid}/task"))?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .take(MOST_THREADS)
        .collect();
    ids.sort_unstable();
    Ok(ids
        .into_iter()
        .filter_map(|id| KernelThread::read(pid, id, ticks_per_second))
        .collect())
}

fn ticks_per_second() -> u64 {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100).max(1)
}

/// What matters of `/proc/PID/task/TID/stat`.
#[derive(Debug, Eq, PartialEq)]
struct Stat {
    comm: String,
    state: char,
    user_ticks: u64,
    system_ticks: u64,
}

impl Stat {
    /// The name is in parentheses and may hold some itself.
    fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.rsplit_once(')')?;
        let (_, comm) = before.split_once('(')?;
        let mut fields = after.split_whitespace();
        let state = fields.next()?.chars().next()?;
        // utime and stime are the 14th and 15th field; the state was the third.
        let user_ticks = fields.nth(10)?.parse().ok()?;
        let system_ticks = fields.next()?.parse().ok()?;
        Some(Self {
            comm: comm.to_owned(),
            state,
            user_ticks,
            system_ticks,
        })
    }
}

/// The last number of `NSpid`: that of the innermost namespace.
fn inner_id(status: &str) -> Option<u32> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let text = "7 (a) R (b) S 1 2 3 4 5 6 7 8 9 10 120 30 13 14";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat.comm, "a) R (b");
        assert_eq!(
            (stat.state, stat.user_ticks, stat.system_ticks),
            ('S', 120, 30)
        );
        assert_eq!(Stat::parse("7 (a) S 1 2"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn the_number_of_the_innermost_namespace_counts() {
        assert_eq!(inner_id("Name:\tx\nNSpid:\t4121\t17\t3\n"), Some(3));
        assert_eq!(inner_id("NSpid:\t12\n"), Some(12));
        assert_eq!(inner_id("Pid:\t12\n"), None);
    }

    #[test]
    fn a_thread_of_our_own_that_sleeps_is_told_from_one_that_runs() {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::Builder::new()
            .name("own (sleeper)".into())
            .spawn(move || told.recv())
            .unwrap();
        let find = || {
            let threads = kernel_threads(std::process::id()).unwrap();
            let own = threads.iter().find(|one| one.state == 'R').cloned();
            let other = threads
                .iter()
                .find(|one| one.comm == "own (sleeper)")
                .cloned();
            own.zip(other)
        };
        let (own, other) = loop {
            match find() {
                Some((own, other)) if other.state == 'S' => break (own, other),
                _ => std::thread::yield_now(),
            }
        };
        assert_eq!(other.syscall.unwrap().name(), Some("futex"));
        assert_eq!(own.syscall, None);
        assert_eq!(other.inner_id, other.native_id);
        tell.send(()).unwrap();
        sleeper.join().unwrap().unwrap();
        assert!(kernel_threads(u32::MAX).is_err());
    }
}
