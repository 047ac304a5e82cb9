//! `leakhunt hunt`.

mod account;
mod member;
mod merge;
mod native_memory;
mod plan;
mod tree;
mod turns;
mod watch;

use std::time::Duration;

use crate::accepted::Accepted;
use crate::args::{Common, HuntArgs, HuntFormat};
use crate::door::{Door, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::interrupt::{Interrupts, Urgency};
use crate::output::Output;
use crate::render::hunt::report;
use crate::rounds::{LiveTarget, Looks as _, Missed, Rounds};
use crate::session::SessionError;
use crate::target::Target;
use watch::Watch;

pub(super) fn run(args: &HuntArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let accepted = Accepted::read(args.accept.as_deref())?;
    let interrupts = Interrupts::listen()?;
    let target = match args.children {
        true => Target::choose_tree(&args.target, output)?,
        false => Target::choose(&args.target, output)?,
    };
    if args.account {
        let result = account::run_account(args, common, &target, &interrupts, output);
        return target.conclude(result, &interrupts, output);
    }
    let hunt = Hunt {
        args,
        format: match common.json {
            true => HuntFormat::Json,
            false => args.format,
        },
        accepted: &accepted,
        interrupts: &interrupts,
        output,
    };
    let result = match args.children {
        true => hunt.run_tree(&target),
        false => Door::new(&target, &args.target, &interrupts, output)
            .and_then(|mut door| hunt.run(target.pid, &mut door)),
    };
    target.conclude(result, &interrupts, output)
}

/// What every hunt needs.
#[derive(Clone, Copy)]
struct Hunt<'a> {
    args: &'a HuntArgs,
    format: HuntFormat,
    accepted: &'a Accepted,
    interrupts: &'a Interrupts,
    output: &'a Output,
}

impl Hunt<'_> {
    /// Looks at one target until there is a verdict.
    fn run(self, pid: u32, target: &mut impl LiveTarget) -> anyhow::Result<Exit> {
        let mut watch = Watch::new(self.args, pid, self.accepted, self.output);
        let rounds = Rounds {
            pid,
            schedule: plan::schedule(self.args.span, self.args.scans, Duration::ZERO),
            max_pause: self.args.target.max_pause,
            // tracemalloc is off again as soon as the agent leaves.
            stays: self.args.trace,
            interrupts: self.interrupts,
            output: self.output,
        };
        let end = rounds.run(&mut watch, target);
        self.output.progress_is_over();
        match end {
            Ok(()) => self.conclude(&watch, &[]),
            Err(Missed::Interrupted) if watch.n_looks() == 0 => {
                Err(SessionError::Interrupted.into_failure(pid).into())
            }
            Err(Missed::Interrupted) if self.interrupts.urgency() == Urgency::AtOnce => {
                Ok(Exit::Interrupted)
            }
            Err(Missed::Interrupted) => self.conclude(
                &watch,
                &["ended early: the verdict is on what was seen so far"],
            ),
            Err(Missed::TargetExited) if watch.n_looks() == 0 => Err(ended_too_early(pid).into()),
            Err(Missed::TargetExited) => {
                self.conclude(
                    &watch,
                    &["the process exited meanwhile: the verdict is on what was seen"],
                )?;
                let message = format!("process {pid} exited during the hunt");
                Err(Failure::new(Exit::TargetGone, message).into())
            }
            Err(Missed::ForNow(error) | Missed::ForGood(error)) => Err(error),
        }
    }

    /// Shows what the watch came to, with `notes` on how it ended.
    fn conclude(&self, watch: &Watch<'_>, notes: &[&str]) -> anyhow::Result<Exit> {
        let Some(mut watched) = watch.judged() else {
            return Err(ended_too_early(watch.pid).into());
        };
        watched.notes.extend(notes.iter().map(|&note| note.into()));
        let shown = report(&watched.report(self.args, self.format, self.output));
        self.output.result(&shown)?;
        Ok(self.exit(watched.has_new_leaks()))
    }

    fn exit(&self, has_new_leaks: bool) -> Exit {
        match has_new_leaks && self.args.fail {
            true => Exit::OverLimit,
            false => Exit::Done,
        }
    }
}
