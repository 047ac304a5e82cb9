//! A copy-on-write child of the target: the heap as it stood, in which a crash hurts nobody.

use core::ffi::CStr;
use core::fmt::Write;

use crate::sys::{self, ChildEnd, Kept};
use crate::text::TextBuffer;

/// Exit codes of a copy that does not reach its end.
pub(crate) mod code {
    pub(crate) const NO_MEMORY: u32 = 10;
    pub(crate) const BROKEN_LIST: u32 = 11;
    pub(crate) const NOT_SENT: u32 = 12;
    pub(crate) const FAULT: u32 = 13;
    pub(crate) const STOPPED: u32 = 14;
    pub(crate) const TIME_LIMIT: u32 = 15;
    pub(crate) const STUCK: u32 = 16;
}

/// Makes of this fresh copy a process that cannot disturb: no descriptor of the target but the
/// channel and `kept`, no signal handler, no core file, gone when the agent goes or its time is over. Answers
/// the channel's new number.
pub(crate) fn settle(socket: i32, parent: u32, time_limit_us: u64, kept: Kept) -> i32 {
    sys::die_with_parent();
    if sys::parent_pid() != parent {
        sys::exit_process(code::NOT_SENT);
    }
    // What is sent to the target's group, as by Ctrl-C, is not meant for its copy.
    sys::leave_group();
    sys::reset_signals();
    sys::alarm(time_limit_us);
    sys::no_core();
    sys::be_first_out_of_memory();
    sys::name_thread();
    sys::keep_only(socket, kept)
}

/// How the wait for a copy ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WaitEnd {
    Ended(ChildEnd),
    /// Asked to stop: the copy was killed.
    Stopped,
}

/// Waits for a copy to end, and reaps it. `must_stop` is asked every few milliseconds, and may take
/// as many microseconds as it is told. `stop` then asks the copy to end, which is killed when it has
/// not a second later.
pub(crate) fn wait(pid: u32, mut must_stop: impl FnMut(u64) -> bool, stop: impl Fn()) -> WaitEnd {
    const LONGEST_PAUSE_US: u64 = 2_000;
    const GRACE_US: u64 = 1_000_000;
    let mut pause_us = 50;
    let mut stopped_us = None;
    loop {
        match sys::child_end(pid) {
            Ok(Some(_)) if stopped_us.is_some() => return WaitEnd::Stopped,
            Ok(Some(end)) => return WaitEnd::Ended(end),
            Ok(None) => {}
            // Reaped by somebody else, who waited for children of all kinds.
            Err(_) => return WaitEnd::Ended(ChildEnd::Exited(0)),
        }
        match stopped_us {
            None => {
                if must_stop(pause_us) {
                    stop();
                    stopped_us = Some(sys::now_us());
                }
            }
            Some(since_us) => {
                if sys::now_us() - since_us > GRACE_US {
                    sys::kill_child(pid);
                }
                sys::sleep_us(pause_us);
            }
        }
        pause_us = (pause_us * 2).min(LONGEST_PAUSE_US);
    }
}

/// Ends a copy that has become too dear. Every page that the target writes to while the copy lives is
/// there twice, so that the copy of a busy target grows without doing anything.
pub(crate) struct MemoryWatch {
    pid: u32,
    limit_bytes: u64,
    next_us: u64,
}

impl MemoryWatch {
    /// A look at a copy's memory costs about 10 ms a GB, in the agent's thread: not too often.
    const INTERVAL_US: u64 = 1_000_000;

    pub(crate) fn new(pid: u32, limit_bytes: u64) -> Self {
        let next_us = sys::now_us() + Self::INTERVAL_US;
        Self {
            pid,
            limit_bytes,
            next_us,
        }
    }

    /// Whether the memory that is the copy's alone is over its limit. Where `/proc` does not tell,
    /// what remains are the copy's limits on its own memory and time.
    pub(crate) fn is_over(&mut self) -> bool {
        let now_us = sys::now_us();
        if now_us < self.next_us {
            return false;
        }
        let is_over = private_bytes(self.pid).is_some_and(|bytes| bytes > self.limit_bytes);
        let cost_us = sys::now_us() - now_us;
        self.next_us = now_us + Self::INTERVAL_US.max(20 * cost_us);
        is_over
    }
}

/// Tells a copy that hangs from one that is slow: for how long it has been with one object.
#[derive(Debug, Default)]
pub(crate) struct HangWatch {
    traversed: Option<usize>,
    since_us: u64,
}

impl HangWatch {
    /// Takes a look at what the copy traverses at the moment.
    pub(crate) fn look(&mut self, traversed: Option<usize>) {
        if traversed != self.traversed || traversed.is_none() {
            self.traversed = traversed;
            self.since_us = sys::now_us();
        }
    }

    /// Whether it has been with one object for a second or longer.
    pub(crate) fn is_hang(&self) -> bool {
        const LONG_US: u64 = 1_000_000;
        self.traversed.is_some() && sys::now_us() - self.since_us > LONG_US
    }
}

/// The memory of a process that no other process shares.
fn private_bytes(pid: u32) -> Option<u64> {
    let mut path = TextBuffer::<40>::new();
    write!(path, "/proc/{pid}/smaps_rollup\0").ok()?;
    let path = CStr::from_bytes_with_nul(path.as_str().as_bytes()).ok()?;
    let mut buffer = [0; 2048];
    sum_private(sys::read_file(path, &mut buffer)?)
}

/// The sum of `Private_Clean` and `Private_Dirty`; `None` when neither is there.
pub(crate) fn sum_private(rollup: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(rollup).ok()?;
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let kilobytes = value.trim().strip_suffix(" kB")?.trim().parse::<u64>();
            matches!(name, "Private_Clean" | "Private_Dirty").then_some(kilobytes.ok()? * 1024)
        })
        .reduce(|sum, bytes| sum + bytes)
}
