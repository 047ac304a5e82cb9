//! A copy-on-write child of the target: the heap as it stood, in which a crash hurts nobody.

use crate::sys::{self, ChildEnd};

/// Exit codes of a copy that does not reach its end.
pub(crate) mod code {
    pub(crate) const NO_MEMORY: u32 = 10;
    pub(crate) const BROKEN_LIST: u32 = 11;
    pub(crate) const NOT_SENT: u32 = 12;
    #[cfg(feature = "image")]
    pub(crate) const FAULT: u32 = 13;
}

/// Makes of this fresh copy a process that cannot disturb: no descriptor of the target but the
/// channel, no signal handler, no core file, gone when the agent goes or its time is over. Answers
/// the channel's new number.
pub(crate) fn settle(socket: i32, parent: u32, time_limit_us: u64) -> i32 {
    sys::die_with_parent();
    if sys::parent_pid() != parent {
        sys::exit_process(code::NOT_SENT);
    }
    sys::reset_signals();
    sys::alarm(time_limit_us);
    sys::no_core();
    sys::be_first_out_of_memory();
    sys::name_thread();
    sys::keep_only(socket)
}

/// How the wait for a copy ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WaitEnd {
    Ended(ChildEnd),
    /// Asked to stop: the copy was killed.
    Stopped,
}

/// Waits for a copy to end, and reaps it. `must_stop` is asked every few milliseconds.
pub(crate) fn wait(pid: u32, mut must_stop: impl FnMut(u64) -> bool) -> WaitEnd {
    const LONGEST_PAUSE_US: u64 = 2_000;
    let mut pause_us = 50;
    let mut is_killed = false;
    loop {
        match sys::child_end(pid) {
            Ok(Some(_)) if is_killed => return WaitEnd::Stopped,
            Ok(Some(end)) => return WaitEnd::Ended(end),
            Ok(None) => {}
            // Reaped by somebody else, who waited for children of all kinds.
            Err(_) => return WaitEnd::Ended(ChildEnd::Exited(0)),
        }
        if !is_killed && must_stop(pause_us) {
            sys::kill_child(pid);
            is_killed = true;
        } else if is_killed {
            sys::sleep_us(pause_us);
        }
        pause_us = (pause_us * 2).min(LONGEST_PAUSE_US);
    }
}
