//! Looking at a live target again and again.

#[cfg(test)]
pub(crate) mod fake;

use std::time::{Duration, Instant};

use leakhunt_attach::Channel;
use leakhunt_wire::Ended;

use crate::budget::{Memory, check_pause};
use crate::door::{Door, OpenError};
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::procfs::memory_of;
use crate::session::{Link, Session, SessionError, ended_text};

/// From this interval on the agent does not stay in the target between looks: what the target forks
/// meanwhile then inherits nothing, and CPython 3.12 and later do not warn of a fork beside a thread.
const SHORTEST_ABSENCE: Duration = Duration::from_secs(1);
/// How often a wait without an agent looks whether the target lives.
pub(crate) const LIFE_CHECK: Duration = Duration::from_millis(100);
/// So many looks may fail one after the other before the run ends.
pub(crate) const MAX_FAILURES: u32 = 5;

/// A target as far as looks need it.
pub(crate) trait LiveTarget {
    /// The way to talk to its agent.
    type Link: Link;
    /// Attaches.
    fn open(&mut self) -> Result<Session<Self::Link>, OpenError>;
    /// Its memory now.
    fn memory(&self) -> Memory;
    /// Whether it has ended.
    fn has_exited(&self) -> bool;
    /// Whether it ends within a moment.
    fn ends_now(&self) -> bool;
}

impl LiveTarget for Door<'_> {
    type Link = Channel;

    fn open(&mut self) -> Result<Session<Channel>, OpenError> {
        Door::open(self)
    }

    fn memory(&self) -> Memory {
        memory_of(self.pid)
    }

    fn has_exited(&self) -> bool {
        self.is_target_gone()
    }

    fn ends_now(&self) -> bool {
        Door::ends_now(self)
    }
}

/// What a look is.
pub(crate) trait Looks {
    /// One look by a session that is open.
    fn look<L: Link>(&mut self, session: &mut Session<L>, memory: &Memory) -> Result<(), LookEnd>;
    /// How many came about so far.
    fn n_looks(&self) -> u64;
    /// How many objects the last one saw, where that makes a walk in place possible.
    fn last_n_objects(&self) -> Option<u64>;
    /// When the next looks are due, where that hangs on the looks there were.
    fn schedule(&self) -> Option<Schedule> {
        None
    }
}

/// When looks are due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Schedule {
    /// Between the starts of two.
    pub(crate) interval: Duration,
    /// How many in all; `None` for no end.
    pub(crate) count: Option<u64>,
}

/// Why a look did not come about.
#[derive(Debug)]
pub(crate) enum LookEnd {
    /// The talk with the agent ended.
    Session(SessionError),
    /// What came is of no use; the next may be.
    ForNow(anyhow::Error),
    /// There is no sense in going on.
    ForGood(anyhow::Error),
}

impl From<SessionError> for LookEnd {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// Why looks end.
#[derive(Debug)]
pub(crate) enum Missed {
    /// It may go better next time.
    ForNow(anyhow::Error),
    /// Nor will another.
    ForGood(anyhow::Error),
    TargetExited,
    Interrupted,
}

/// Looks at one target, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds<'a> {
    pub(crate) pid: u32,
    pub(crate) schedule: Schedule,
    pub(crate) max_pause: Duration,
    /// Whether the agent stays in the target between looks however long that is.
    pub(crate) stays: bool,
    pub(crate) interrupts: &'a Interrupts,
    pub(crate) output: &'a Output,
}

impl Rounds<'_> {
    /// Looks until there is a reason to end. Looks that fail are told of and passed over, unless it is
    /// the first.
    ///
    /// # Errors
    /// With the reason, unless that is `count`.
    pub(crate) fn run<T: LiveTarget>(
        &self,
        looks: &mut impl Looks,
        target: &mut T,
    ) -> Result<(), Missed> {
        let mut session: Option<Session<T::Link>> = None;
        let mut n_failures = 0;
        let mut due = Instant::now();
        loop {
            match self.look(looks, target, &mut session) {
                Ok(()) => n_failures = 0,
                Err(Missed::ForNow(error)) if looks.n_looks() > 0 => {
                    n_failures += 1;
                    if n_failures >= MAX_FAILURES {
                        let context = format!("{MAX_FAILURES} looks one after the other failed");
                        return Err(Missed::ForGood(error.context(context)));
                    }
                    self.output
                        .warn(format_args!("no look this time: {error:#}"));
                }
                Err(missed) => return Err(missed),
            }
            let n_looks = looks.n_looks();
            let Schedule { interval, count } = looks.schedule().unwrap_or(self.schedule);
            if count.is_some_and(|count| n_looks >= count) {
                return Ok(());
            }
            if n_looks <= 1 {
                due = Instant::now();
            }
            due = next_due(due, interval, Instant::now());
            if interval >= SHORTEST_ABSENCE && !self.stays {
                session = None;
            }
            match &mut session {
                Some(session) => session
                    .wait(due)
                    .map_err(|error| self.missed(error, n_looks))?,
                None => self.wait_detached(target, due)?,
            }
            if self.interrupts.urgency() > Urgency::None {
                return Err(Missed::Interrupted);
            }
        }
    }

    /// One look; attaches where there is no session, and drops one that is of no use any more.
    ///
    /// # Errors
    /// Why it did not come about.
    pub(crate) fn look<T: LiveTarget>(
        &self,
        looks: &mut impl Looks,
        target: &mut T,
        session: &mut Option<Session<T::Link>>,
    ) -> Result<(), Missed> {
        let memory = target.memory();
        check_pause(&memory, looks.last_n_objects(), self.max_pause)
            .map_err(|refusal| Missed::ForGood(refusal.into()))?;
        let n_looks = looks.n_looks();
        let mut is_fresh = false;
        loop {
            let open = match session {
                Some(open) => open,
                None => {
                    is_fresh = true;
                    let opened = target
                        .open()
                        .map_err(|error| self.not_opened(error, n_looks))?;
                    session.insert(opened)
                }
            };
            let error = match looks.look(open, &memory) {
                Ok(()) => return Ok(()),
                Err(LookEnd::Session(error)) => error,
                Err(LookEnd::ForNow(error)) => return Err(Missed::ForNow(error)),
                Err(LookEnd::ForGood(error)) => return Err(Missed::ForGood(error)),
            };
            *session = None;
            // As after a Ctrl-Z of minutes, which the agent did not wait out.
            if !is_fresh && matches!(error, SessionError::AgentGone(_)) {
                self.output.detail(1, "the agent is gone; attaching again");
                continue;
            }
            if matches!(error, SessionError::AgentGone(_)) && target.ends_now() {
                return Err(Missed::TargetExited);
            }
            return Err(self.missed(error, n_looks));
        }
    }

    fn missed(&self, error: SessionError, n_looks: u64) -> Missed {
        match error {
            SessionError::TargetExited => Missed::TargetExited,
            SessionError::Interrupted => Missed::Interrupted,
            error if error.may_pass() => Missed::ForNow(error.into_failure(self.pid).into()),
            // The interpreter that was there is about to end, and the process with it.
            error @ (SessionError::Ending | SessionError::NotRunning) if n_looks > 0 => {
                Missed::ForNow(error.into_failure(self.pid).into())
            }
            error => Missed::ForGood(error.into_failure(self.pid).into()),
        }
    }

    fn not_opened(&self, error: OpenError, n_looks: u64) -> Missed {
        match error {
            OpenError::Session(error) => self.missed(error, n_looks),
            attach @ OpenError::Attach(_) => Missed::ForNow(attach.into_error(self.pid)),
        }
    }

    /// Waits without an agent in the target.
    ///
    /// # Errors
    /// When the target ends.
    pub(crate) fn wait_detached(
        &self,
        target: &impl LiveTarget,
        due: Instant,
    ) -> Result<(), Missed> {
        while self.interrupts.urgency() == Urgency::None {
            if target.has_exited() {
                return Err(Missed::TargetExited);
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.interrupts.sleep(left.min(LIFE_CHECK));
        }
        Ok(())
    }
}

/// The next full interval after `now`; those that were missed are passed over.
fn next_due(last: Instant, interval: Duration, now: Instant) -> Instant {
    let n_passed = now.saturating_duration_since(last).as_nanos() / interval.as_nanos().max(1);
    let n_intervals = u32::try_from(n_passed + 1).unwrap_or(u32::MAX);
    let next = interval
        .checked_mul(n_intervals)
        .and_then(|span| last.checked_add(span));
    next.unwrap_or(now + interval.min(Duration::from_secs(86_400)))
}

/// A walk that gave nothing.
pub(crate) fn not_walked(pid: u32, ended: Ended, signal: u32, clone_errno: u32) -> Failure {
    let why = ended_text(ended, signal, clone_errno);
    let failure = Failure::new(
        Exit::NoAttach,
        format!("the heap of process {pid} could not be walked: {why}"),
    );
    match ended {
        Ended::MemoryLimit => failure.with_help(
            "the copy may take half of the memory that the machine and the target's cgroup have left",
        ),
        Ended::Collecting => failure.with_help("try again in a moment"),
        Ended::TimeLimit => {
            failure.with_help("the machine may be too busy; nothing was done to the process")
        }
        Ended::Refused => failure.with_help(
            "see the limit of processes (ulimit -u, pids.max of its cgroup) and its memory\nwith a \
             longer --max-pause a small heap can be walked in place",
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_intervals_are_passed_over() {
        let start = Instant::now();
        let due = |late_ms| {
            let now = start + Duration::from_millis(late_ms);
            next_due(start, Duration::from_secs(1), now) - start
        };
        assert_eq!(due(0), Duration::from_secs(1));
        assert_eq!(due(999), Duration::from_secs(1));
        assert_eq!(due(1_000), Duration::from_secs(2));
        assert_eq!(due(4_500), Duration::from_secs(5));
        let century = Duration::from_secs(100 * 366 * 86_400);
        assert!(next_due(start, century, start) > start);
    }
}
