//! Looking at a live target again and again.

use std::time::Duration;

use leakhunt_heap::{Growth, GrowthRecord, WalkedIn};
use leakhunt_wire::{CensusRequest, Ended, Place};
use time::OffsetDateTime;

use super::summarise;
use crate::args::GrowthArgs;
use crate::budget::{Budget, Memory};
use crate::door::{ended_after, ended_too_early};
use crate::failure::Exit;
use crate::growth_log::GrowthLog;
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::render::growth::{Frame, GrowthView, json_line};
use crate::render::numbers::duration;
use crate::rounds::{LiveTarget, LookEnd, Looks, Missed, Rounds, Schedule, not_walked};
use crate::session::{Link, Session, SessionError, Sighting, ended_text};

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

impl<'a> Follow<'a> {
    /// Looks until there is a reason to end, and sums up.
    ///
    /// # Errors
    /// When no look came about, the target exited, or nobody reads stdout any more.
    pub(super) fn run(mut self, target: &mut impl LiveTarget) -> anyhow::Result<Exit> {
        let end = self.rounds().run(&mut self, target);
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
                Err(ended_after(self.pid, self.growth.n_looks()).into())
            }
            Err(Missed::ForNow(error) | Missed::ForGood(error)) => {
                if !crate::failure::is_closed_pipe(&error) && self.growth.n_looks() > 0 {
                    self.sum_up()?;
                }
                Err(error)
            }
        }
    }

    fn rounds(&self) -> Rounds<'a> {
        Rounds {
            pid: self.pid,
            schedule: Schedule {
                interval: self.args.interval,
                count: self.args.count,
            },
            max_pause: self.args.target.max_pause,
            stays: false,
            interrupts: self.interrupts,
            output: self.output,
        }
    }

    fn sum_up(&self) -> anyhow::Result<Exit> {
        summarise(&self.growth, &self.view, self.output)?;
        Ok(Exit::Done)
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

    fn take_in(&mut self, sighting: Sighting, python: String) -> Result<(), LookEnd> {
        let end = sighting.end;
        let Some(look) = sighting.look else {
            let failure = not_walked(self.pid, end.ended, end.signal, end.clone_errno);
            return Err(LookEnd::ForNow(failure.into()));
        };
        if end.ended != Ended::Whole {
            let why = ended_text(end.ended, end.signal, end.clone_errno);
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
        self.output.result(&shown).map_err(LookEnd::ForGood)
    }
}

impl Looks for Follow<'_> {
    fn look<L: Link>(&mut self, session: &mut Session<L>, memory: &Memory) -> Result<(), LookEnd> {
        let sighting = session.census(&self.request(memory))?;
        self.take_in(sighting, session.python.clone())
    }

    fn n_looks(&self) -> u64 {
        self.growth.n_looks()
    }

    fn last_n_objects(&self) -> Option<u64> {
        self.growth.last_n_objects()
    }
}

/// Milliseconds are what a log needs to tell.
fn now_in_millis() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

fn micros(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}
