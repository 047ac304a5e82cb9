//! `leakhunt sources`.

mod choose;
#[cfg(test)]
mod tests;

use std::time::Instant;

use leakhunt_heap::Snapshot;
use time::OffsetDateTime;

use crate::args::{Common, SourcesArgs, SourcesFormat, SourcesRank};
use crate::budget::Memory;
use crate::capture::{Wish, capture};
use crate::describe::{self, Described, describe};
use crate::door::{Door, ended_after, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::render::snapshot::shortcomings;
use crate::render::sources::{
    Looks as ObjectLooks, SourceHolder, SourceObject, SourcesLook, SourcesView,
};
use crate::rounds::{LiveTarget, LookEnd, Looks, Missed, Rounds, Schedule};
use crate::session::{Link, Session, SessionError};
use crate::target::Target;
use crate::trace::trace;
use choose::{Choice, Chooser, Chosen};

pub(super) fn run(args: &SourcesArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    check(args)?;
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    let format = if common.json {
        SourcesFormat::Json
    } else {
        args.format
    };
    let watch = || -> anyhow::Result<Exit> {
        let mut door = Door::new(&target, &args.target, &interrupts, output)?;
        Watch::new(args, format, target.pid, &interrupts, output).run(&mut door)
    };
    let result = watch();
    target.conclude(result, &interrupts, output)
}

/// Refuses what has no meaning together.
fn check(args: &SourcesArgs) -> Result<(), Failure> {
    if args.rank == SourcesRank::Gc && args.limit.is_some() {
        let message = "--limit is a number of types, and --rank gc shows objects of any";
        return Err(Failure::new(Exit::Usage, message)
            .with_help("--max N is how many objects it shows; --match chooses types"));
    }
    Ok(())
}

/// A run of looks at one target.
struct Watch<'a> {
    args: &'a SourcesArgs,
    pid: u32,
    view: SourcesView,
    chooser: Chooser,
    n_looks: u64,
    last: Option<Instant>,
    last_notes: Vec<String>,
    interrupts: &'a Interrupts,
    output: &'a Output,
}

impl<'a> Watch<'a> {
    fn new(
        args: &'a SourcesArgs,
        format: SourcesFormat,
        pid: u32,
        interrupts: &'a Interrupts,
        output: &'a Output,
    ) -> Self {
        Self {
            args,
            pid,
            view: SourcesView {
                format,
                rank: args.rank,
                interval: args.interval,
                goes_on: args.count != Some(1),
            },
            chooser: Chooser::new(args),
            n_looks: 0,
            last: None,
            last_notes: Vec::new(),
            interrupts,
            output,
        }
    }

    /// Looks until there is a reason to end.
    fn run(mut self, target: &mut impl LiveTarget) -> anyhow::Result<Exit> {
        let end = self.rounds().run(&mut self, target);
        match end {
            Ok(()) => Ok(Exit::Done),
            Err(Missed::Interrupted) if self.n_looks == 0 => {
                Err(SessionError::Interrupted.into_failure(self.pid).into())
            }
            Err(Missed::Interrupted) if self.interrupts.urgency() == Urgency::AtOnce => {
                Ok(Exit::Interrupted)
            }
            Err(Missed::Interrupted) => {
                if self.n_looks == 1 && self.args.rank == SourcesRank::Growth {
                    self.output.note(
                        "ended after the baseline; growth shows from a second look on: wait for \
                         it, or take a shorter --interval",
                    );
                }
                Ok(Exit::Done)
            }
            Err(Missed::TargetExited) if self.n_looks == 0 => Err(ended_too_early(self.pid).into()),
            Err(Missed::TargetExited) => Err(ended_after(self.pid, self.n_looks).into()),
            Err(Missed::ForNow(error) | Missed::ForGood(error)) => Err(error),
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
            // tracemalloc is off again as soon as the agent leaves.
            stays: self.args.trace,
            interrupts: self.interrupts,
            output: self.output,
        }
    }

    /// What the format of Home Assistant has no line for.
    fn tell_beside(&self, look: &SourcesLook) {
        if self.view.format != SourcesFormat::Ha {
            return;
        }
        if look.look == 1 && self.args.rank == SourcesRank::Growth {
            self.output
                .note("the first look is the baseline; growth shows from the next one on");
        }
        if look.has_other_notes {
            look.notes.iter().for_each(|note| self.output.warn(note));
        }
    }
}

impl Looks for Watch<'_> {
    fn look<L: Link>(&mut self, session: &mut Session<L>, memory: &Memory) -> Result<(), LookEnd> {
        if self.args.trace {
            trace(session, self.pid, self.output)?;
        }
        let wish = Wish {
            pid: self.pid,
            names: self.args.names.into(),
            collect: self.args.collect || self.args.rank == SourcesRank::Gc,
            target: &self.args.target,
        };
        let now = Instant::now();
        let snapshot = capture(session, &wish, memory, self.output)?;
        let elapsed = self.last.replace(now).map(|last| now - last);
        let choice = self.chooser.choose(&snapshot);
        self.n_looks += 1;
        let how = describe::How {
            has_repr: !self.args.no_repr,
            is_whole: self.view.format == SourcesFormat::Ha,
            is_traced: self.args.trace,
        };
        let objects: Vec<_> = choice.objects.iter().map(|chosen| chosen.object).collect();
        let (described, lost) = match describe(session, &snapshot, &objects, how) {
            Ok(described) => (described, None),
            // What is known is shown all the same.
            Err(error) => (Described::default(), Some(error)),
        };
        let mut look = look_at(&snapshot, &choice, &described, how);
        look.look = self.n_looks;
        look.elapsed = elapsed;
        look.has_other_notes = look.notes != self.last_notes;
        self.last_notes.clone_from(&look.notes);
        self.tell_beside(&look);
        let shown = self.view.look(&look);
        self.chooser.keep(snapshot);
        self.output.result(&shown).map_err(LookEnd::ForGood)?;
        match lost {
            None => Ok(()),
            Some(error) if error.may_pass() => {
                let failure = error.into_failure(self.pid);
                self.output.warn(format_args!(
                    "what the objects look like is not known: {failure}"
                ));
                Ok(())
            }
            Some(error) => Err(error.into()),
        }
    }

    fn n_looks(&self) -> u64 {
        self.n_looks
    }

    fn last_n_objects(&self) -> Option<u64> {
        None
    }
}

/// All that there is to show of a look.
fn look_at(
    snapshot: &Snapshot,
    choice: &Choice,
    described: &Described,
    how: describe::How,
) -> SourcesLook {
    let objects = choice
        .objects
        .iter()
        .map(|chosen| source_object(snapshot, chosen, described, how))
        .collect();
    let capture = &snapshot.capture;
    let nanos = i128::from(capture.taken_at_us / 1000) * 1_000_000;
    let mut notes = choice.notes.clone();
    notes.extend(shortcomings(capture));
    if described.is_cut {
        notes.push(
            "the copy that tells what objects look like ended early: of some it is not known"
                .into(),
        );
    }
    SourcesLook {
        pid: capture.pid,
        time: OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH),
        look: 0,
        elapsed: None,
        pause_us: capture.pause_us,
        n_objects: snapshot.n_objects() as u64,
        size_bytes: snapshot.objects.size_bytes.iter().sum(),
        n_types: choice.n_types,
        objects,
        overflow: choice.overflow.clone(),
        notes,
        has_other_notes: true,
    }
}

fn source_object(
    snapshot: &Snapshot,
    chosen: &Chosen,
    described: &Described,
    how: describe::How,
) -> SourceObject {
    let of_type = snapshot.type_of(chosen.object);
    let path = chosen.path.as_ref();
    let holder = chosen.holder.as_ref().map(|holder| SourceHolder {
        name: holder.name.clone(),
        type_key: snapshot.type_of(holder.object).key(),
        package: Some(holder.package.clone()).filter(|package| !package.is_empty()),
    });
    let description = described.of(chosen.object);
    let looks = |object| match described.of(object) {
        Some(description) if how.has_repr => ObjectLooks::new(description.note, &description.text),
        _ => ObjectLooks::unknown(),
    };
    SourceObject {
        address: snapshot.objects.address[chosen.object.0 as usize],
        type_key: of_type.key(),
        type_name: of_type.name.clone(),
        count_before: chosen.n_before,
        count: chosen.n_objects,
        holder,
        evaluates: path.is_some_and(|path| path.is_evaluable),
        path: path.map(|path| path.expression.clone()),
        holder_share_estimate: chosen.holder_share_estimate,
        looks: looks(chosen.object),
        file: description
            .map(|description| description.file.clone())
            .filter(|file| !file.is_empty()),
        referrer: described.first_referrer_of(chosen.object).map(looks),
        made_at: description.map_or(Vec::new(), |description| description.made_at.clone()),
    }
}
