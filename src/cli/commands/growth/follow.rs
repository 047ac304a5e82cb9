//! Looking at a live target again and again.

use std::time::{Duration, Instant};

use leakhunt_heap::{Growth, GrowthRecord, WalkedIn};
use leakhunt_wire::{CensusRequest, Ended, Place};
use time::OffsetDateTime;

use super::summarise;
use crate::args::GrowthArgs;
use crate::budget::{Budget, Memory, check_pause};
use crate::door::{OpenError, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::growth_log::GrowthLog;
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::render::growth::{Frame, GrowthView, json_line};
use crate::render::numbers::{counted, duration};
use crate::session::{CensusEnd, Link, Session, SessionError, Sighting};

/// From this interval on the agent does not stay in the target between looks: what the target forks
/// meanwhile then inherits nothing, and CPython 3.12 and later do not warn of a fork beside a thread.
const SHORTEST_ABSENCE: Duration = Duration::from_secs(1);
/// How often a wait without an agent looks whether the target lives.
const LIFE_CHECK: Duration = Duration::from_millis(100);
/// So many looks may fail one after the other before the run ends.
const MAX_FAILURES: u32 = 5;

/// A target as far as growth needs it.
pub(super) trait LiveTarget {
    /// The way to talk to its agent.
    type Link: Link;
    /// Attaches.
    fn open(&mut self) -> Result<Session<Self::Link>, OpenError>;
    /// Its memory now.
    fn memory(&self) -> Memory;
    /// Whether it has ended.
    fn has_exited(&self) -> bool;
}

/// A run of looks at one target.
pub(super) struct Follow<'a> {
    pub(super) args: &'a GrowthArgs,
    pub(super) pid: u32,
    pub(super) view: GrowthView,
    pub(super) log: Option<GrowthLog>,
    pub(super) growth: Growth,
    pub(super) interrupts: &'a Interrupts,
    pub(super) output: &'a Output,
}

/// Why a look did not come about.
enum Missed {
    /// It may next time.
    ForNow(anyhow::Error),
    /// Nor will another.
    ForGood(anyhow::Error),
    TargetExited,
    Interrupted,
}

impl Follow<'_> {
    /// Looks until there is a reason to end, and sums up.
    ///
    /// # Errors
    /// When no look came about, the target exited, or nobody reads stdout any more.
    pub(super) fn run(mut self, target: &mut impl LiveTarget) -> anyhow::Result<Exit> {
        let end = self.looks(target);
        match end {
            Ok(()) => self.sum_up(),
            Err(Missed::Interrupted) if self.growth.n_looks() == 0 => {
                Err(SessionError::Interrupted.into_failure(self.pid).into())
            }
            Err(Missed::Interrupted) if self.interrupts.urgency() == Urgency::AtOnce => {
                Ok(Exit::Interrupted)
            }
            Err(Missed::Interrupted) => self.sum_up(),
            Err(Missed::TargetExited) if self.growth.n_looks() == 0 => {
                Err(ended_too_early(self.pid).into())
            }
            Err(Missed::TargetExited) => {
                self.sum_up()?;
                let message = format!(
                    "process {} exited after {}",
                    self.pid,
                    counted(self.growth.n_looks(), "look")
                );
                Err(Failure::new(Exit::TargetGone, message).into())
            }
            Err(Missed::ForNow(error) | Missed::ForGood(error)) => {
                if !crate::failure::is_closed_pipe(&error) && self.growth.n_looks() > 0 {
                    self.sum_up()?;
                }
                Err(error)
            }
        }
    }

    fn sum_up(&self) -> anyhow::Result<Exit> {
        summarise(&self.growth, &self.view, self.output)?;
        Ok(Exit::Done)
    }

    fn looks<T: LiveTarget>(&mut self, target: &mut T) -> Result<(), Missed> {
        let mut session: Option<Session<T::Link>> = None;
        let mut n_failures = 0;
        let mut due = Instant::now();
        loop {
            match self.look(target, &mut session) {
                Ok(()) => n_failures = 0,
                Err(Missed::ForNow(error)) if self.growth.n_looks() > 0 => {
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
            let n_looks = self.growth.n_looks();
            if self.args.count.is_some_and(|count| n_looks >= count) {
                return Ok(());
            }
            if n_looks <= 1 {
                due = Instant::now();
            }
            due = next_due(due, self.args.interval, Instant::now());
            if self.args.interval >= SHORTEST_ABSENCE {
                session = None;
            }
            match &mut session {
                Some(session) => session.wait(due).map_err(|error| self.missed(error))?,
                None => self.wait_detached(target, due)?,
            }
            if self.interrupts.urgency() > Urgency::None {
                return Err(Missed::Interrupted);
            }
        }
    }

    /// One look; attaches where there is no session, and drops one that is of no use any more.
    fn look<T: LiveTarget>(
        &mut self,
        target: &mut T,
        session: &mut Option<Session<T::Link>>,
    ) -> Result<(), Missed> {
        let memory = target.memory();
        check_pause(
            &memory,
            self.growth.last_n_objects(),
            self.args.target.max_pause,
        )
        .map_err(|refusal| Missed::ForGood(refusal.into()))?;
        let request = self.request(&memory);
        let mut is_fresh = false;
        loop {
            let open = match session {
                Some(open) => open,
                None => {
                    is_fresh = true;
                    let opened = target.open().map_err(|error| self.not_opened(error))?;
                    session.insert(opened)
                }
            };
            match open.census(&request) {
                Ok(sighting) => {
                    let python = open.python.clone();
                    return self.take_in(sighting, python);
                }
                Err(error) => {
                    *session = None;
                    // As after a Ctrl-Z of minutes, which the agent did not wait out.
                    if !is_fresh && matches!(error, SessionError::AgentGone(_)) {
                        self.output.detail(1, "the agent is gone; attaching again");
                        continue;
                    }
                    return Err(self.missed(error));
                }
            }
        }
    }

    fn request(&self, memory: &Memory) -> CensusRequest {
        let budget = Budget::new(memory, self.args.target.max_pause);
        CensusRequest {
            place: Place::Auto,
            in_place_max_objects: budget.in_place_max_objects,
            refused_max_objects: budget.refused_max_objects,
            collect: self.args.collect,
            garbage: true,
            time_bare_walk: false,
            time_limit_ms: u32::try_from(budget.time_limit.as_millis()).unwrap_or(u32::MAX),
            memory_limit_bytes: budget.memory_limit_bytes,
        }
    }

    fn take_in(&mut self, sighting: Sighting, python: String) -> Result<(), Missed> {
        let end = sighting.end;
        let Some(look) = sighting.look else {
            return Err(Missed::ForNow(no_look(&end, self.pid).into()));
        };
        if end.ended != Ended::Whole {
            let why = ended_text(&end);
            self.output
                .warn(format_args!("garbage could not be told apart: {why}"));
        }
        if sighting.is_during_collection {
            self.output.warn(
                "the collector was at work in the target: objects it had in hand may be missing",
            );
        }
        if let Some(shown) = sighting.shown_by_interpreter {
            self.output.warn(format_args!(
                "the interpreter shows {shown} objects, but its lists hold another number: the counts may be wrong"
            ));
        }
        self.output.detail(
            1,
            format_args!(
                "look took {} of the target's time, {} types",
                duration(Duration::from_micros(end.pause_us)),
                look.types.len()
            ),
        );
        let now = now_in_millis();
        let step = self.growth.observe(&look, micros(now));
        let record = GrowthRecord {
            pause_ms: end.pause_us as f64 / 1000.0,
            python,
            place: match end.place {
                Place::Target => WalkedIn::Target,
                Place::Copy | Place::Auto => WalkedIn::Copy,
            },
            clone_errno: (end.clone_errno != 0).then_some(end.clone_errno),
            attempts: end.attempts,
            skipped_type: (!end.skipped_type.is_empty()).then_some(end.skipped_type),
            ..GrowthRecord::new(self.pid, now, &step)
        };
        if let Some(log) = &mut self.log {
            log.append(&json_line(&record), self.output);
        }
        let shown = self.view.frame(&Frame { look, step, record });
        self.output.result(&shown).map_err(Missed::ForGood)
    }

    fn missed(&self, error: SessionError) -> Missed {
        match error {
            SessionError::TargetExited => Missed::TargetExited,
            SessionError::Interrupted => Missed::Interrupted,
            error if error.may_pass() => Missed::ForNow(error.into_failure(self.pid).into()),
            // The interpreter that was there is about to end, and the process with it.
            SessionError::NotRunning if self.growth.n_looks() > 0 => {
                Missed::ForNow(SessionError::NotRunning.into_failure(self.pid).into())
            }
            error => Missed::ForGood(error.into_failure(self.pid).into()),
        }
    }

    fn not_opened(&self, error: OpenError) -> Missed {
        match error {
            OpenError::Session(error) => self.missed(error),
            attach @ OpenError::Attach(_) => Missed::ForNow(attach.into_error(self.pid)),
        }
    }

    fn wait_detached(&self, target: &impl LiveTarget, due: Instant) -> Result<(), Missed> {
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

/// Milliseconds are what a log needs to tell.
fn now_in_millis() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// A request that gave nothing.
fn no_look(end: &CensusEnd, pid: u32) -> Failure {
    let failure = Failure::new(
        Exit::NoAttach,
        format!(
            "the heap of process {pid} could not be walked: {}",
            ended_text(end)
        ),
    );
    match end.ended {
        Ended::MemoryLimit => failure.with_help(
            "the copy may take half of the memory that the machine and the target's cgroup have left",
        ),
        Ended::Collecting => failure.with_help("try again in a moment"),
        _ => failure,
    }
}

fn ended_text(end: &CensusEnd) -> String {
    crate::session::ended_text(end.ended, end.signal, end.clone_errno)
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
