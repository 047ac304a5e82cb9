//! `leakhunt memory`.

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use leakhunt_heap::classify::{Scope, kind_table, visible};
use leakhunt_heap::{Identity, Snapshot, hpy, identify};
use leakhunt_wire::Names;

use crate::args::{Common, MemoryArgs};
use crate::budget::Memory;
use crate::capture::{Wish, capture, now_us};
use crate::door::{Door, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::hpy_file::{Existing, HpyFile};
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::render::numbers::{counted, duration};
use crate::render::snapshot::{Appeared, appeared_json, appeared_text, shortcomings};
use crate::rounds::{LiveTarget, LookEnd, Looks, Missed, Rounds, Schedule};
use crate::session::{Link, Session, SessionError};
use crate::target::Target;

/// Between attempts at the second snapshot.
const RETRY: Duration = Duration::from_millis(500);

pub(super) fn run(args: &MemoryArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let path = path(args)?;
    let file = HpyFile::open(&path, Existing::Replaced)?;
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    let result = Window {
        args,
        common,
        path,
        pid: target.pid,
        interrupts: &interrupts,
        output,
    }
    .run(
        file,
        &mut Door::new(&target, &args.target, &interrupts, output)?,
        &mut Door::new(
            &target,
            &args.target,
            &interrupts.for_the_last_look(),
            output,
        )?,
    );
    target.conclude(result, &interrupts, output)
}

/// Where to; by itself with the microseconds of the start, as Home Assistant has it.
fn path(args: &MemoryArgs) -> Result<PathBuf, Failure> {
    let Some(path) = &args.output else {
        return Ok(format!("heap_profile.{}.hpy", now_us()).into());
    };
    if path.extension().is_some_and(|ending| ending == "hpy") {
        return Ok(path.clone());
    }
    let message = format!("-o {}: the name does not end in .hpy", path.display());
    Err(Failure::new(Exit::Usage, message)
        .with_help("to keep all objects: leakhunt snapshot -o heap.leakhunt"))
}

/// A time, and a snapshot at either end.
struct Window<'a> {
    args: &'a MemoryArgs,
    common: &'a Common,
    path: PathBuf,
    pid: u32,
    interrupts: &'a Interrupts,
    output: &'a Output,
}

/// A snapshot, once there is one, and when it was asked for.
struct OneLook<'a> {
    wish: Wish<'a>,
    output: &'a Output,
    taken: Option<(Snapshot, Instant)>,
}

impl Looks for OneLook<'_> {
    fn look<L: Link>(&mut self, session: &mut Session<L>, memory: &Memory) -> Result<(), LookEnd> {
        let start = Instant::now();
        let snapshot = capture(session, &self.wish, memory, self.output)?;
        self.taken = Some((snapshot, start));
        Ok(())
    }

    fn n_looks(&self) -> u64 {
        self.taken.is_some().into()
    }

    fn last_n_objects(&self) -> Option<u64> {
        None
    }
}

impl Window<'_> {
    /// Two looks, of which the second by `last` is not ended by the Ctrl-C that ended the wait.
    fn run(
        &self,
        file: HpyFile,
        target: &mut impl LiveTarget,
        last: &mut impl LiveTarget,
    ) -> anyhow::Result<Exit> {
        let (before, start) =
            self.look(target, self.interrupts)
                .map_err(|missed| match missed {
                    Missed::TargetExited => ended_too_early(self.pid).into(),
                    other => self.error(other),
                })?;
        let again = match self.interrupts.urgency() {
            Urgency::None => format!("in {} (Ctrl-C: at once)", duration(self.args.seconds)),
            Urgency::Finish | Urgency::AtOnce => "at once (Ctrl-C: not at all)".into(),
        };
        self.output.note(format_args!(
            "{} at first; looking again {again}",
            counted(before.n_objects() as u64, "object"),
        ));
        let due = start + self.args.seconds;
        self.rounds(self.interrupts)
            .wait_detached(target, due)
            .map_err(|missed| self.error(missed))?;
        let (after, end) = self.last_look(last).map_err(|missed| self.error(missed))?;
        self.write(&before, &after, end - start, file)
    }

    fn look(
        &self,
        target: &mut impl LiveTarget,
        interrupts: &Interrupts,
    ) -> Result<(Snapshot, Instant), Missed> {
        let mut look = OneLook {
            wish: Wish {
                pid: self.pid,
                names: Names::Hidden,
                collect: self.args.collect,
                target: &self.args.target,
            },
            output: self.output,
            taken: None,
        };
        self.rounds(interrupts).run(&mut look, target)?;
        look.taken.ok_or(Missed::Interrupted)
    }

    /// The first look would be for nothing without the second: that is tried some times.
    fn last_look(&self, target: &mut impl LiveTarget) -> Result<(Snapshot, Instant), Missed> {
        let interrupts = self.interrupts.for_the_last_look();
        let mut n_left = 2;
        loop {
            match self.look(target, &interrupts) {
                Err(Missed::ForNow(error)) if n_left > 0 => {
                    self.output
                        .warn(format_args!("{error:#}; trying once more"));
                    n_left -= 1;
                    let until = Instant::now() + RETRY;
                    self.rounds(&interrupts).wait_detached(target, until)?;
                    if interrupts.urgency() > Urgency::None {
                        return Err(Missed::Interrupted);
                    }
                }
                other => return other,
            }
        }
    }

    fn rounds<'r>(&'r self, interrupts: &'r Interrupts) -> Rounds<'r> {
        Rounds {
            pid: self.pid,
            schedule: Schedule {
                interval: self.args.seconds,
                count: Some(1),
            },
            max_pause: self.args.target.max_pause,
            stays: false,
            interrupts,
            output: self.output,
        }
    }

    fn write(
        &self,
        before: &Snapshot,
        after: &Snapshot,
        elapsed: Duration,
        file: HpyFile,
    ) -> anyhow::Result<Exit> {
        let identities = identify(before, after);
        let visible = visible(after);
        let is_new = |object: leakhunt_heap::ObjId| identities[object.0 as usize] == Identity::New;
        let table = kind_table(
            after,
            &self.args.by,
            Scope {
                is_counted: &|object| is_new(object) && visible.has(object),
                is_seen: &|object| visible.has(object),
                virtual_dicts: false,
                time_made: after.capture.taken_at_us as f64 / 1e6,
            },
        );
        let file_bytes = file.write(&hpy::write(&table), self.output)?;
        let n_probable = after
            .ids()
            .filter(|&object| {
                identities[object.0 as usize] == Identity::Probable && visible.has(object)
            })
            .count();
        let notes = notes(before, after, n_probable as u64);
        for note in &notes {
            self.output.note(note);
        }
        let shown_path = self.path.display().to_string();
        let appeared = Appeared {
            path: &shown_path,
            pid: self.pid,
            python: &after.capture.python,
            elapsed,
            table: &table,
            file_bytes,
            pause_us: before
                .capture
                .pause_us
                .saturating_add(after.capture.pause_us),
            notes,
        };
        self.output.result(&if self.common.json {
            appeared_json(&appeared)
        } else {
            appeared_text(&appeared, self.output.color, self.output.width).into_bytes()
        })?;
        Ok(Exit::Done)
    }

    fn error(&self, missed: Missed) -> anyhow::Error {
        match missed {
            Missed::ForNow(error) | Missed::ForGood(error) => error,
            Missed::TargetExited => Failure::new(
                Exit::TargetGone,
                format!("process {} exited before the second look", self.pid),
            )
            .with_help("take less time: --seconds")
            .into(),
            Missed::Interrupted => SessionError::Interrupted.into_failure(self.pid).into(),
        }
    }
}

/// What is not certain about which objects are new.
fn notes(before: &Snapshot, after: &Snapshot, n_probable: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if after.capture.free_threaded {
        notes.push(
            "without the GIL there is no order of birth: an object where another of its type was \
             before counts as new, unless it refers to the same objects as that"
                .into(),
        );
    } else if after.capture.n_full_collections > before.capture.n_full_collections {
        notes.push(
            "the collector went over all objects in between: some that were young at the first look \
             may count as new"
                .into(),
        );
    }
    if n_probable > 0 {
        let is_are = if n_probable == 1 { "counts" } else { "count" };
        notes.push(format!(
            "{} at addresses that were in use before {is_are} as there before, by their order of \
             birth or what they refer to; some may be new",
            counted(n_probable, "object")
        ));
    }
    for (which, capture) in [("first", &before.capture), ("second", &after.capture)] {
        let of_look = shortcomings(capture);
        notes.extend(of_look.iter().map(|one| format!("the {which} look: {one}")));
    }
    notes
}
