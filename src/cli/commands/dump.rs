//! `leakhunt dump`.

use std::collections::HashSet;
use std::time::Duration;

use leakhunt_wire::{DumpRequest, Ended};

use crate::args::{Common, DumpArgs, DumpFormat};
use crate::budget::{Budget, check_pause};
use crate::door::{Door, OpenError, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::near_names::NearNames;
use crate::output::Output;
use crate::procfs::memory_of;
use crate::render::dump::{DumpTotals, DumpView};
use crate::render::numbers::{count, counted, duration};
use crate::render::text::escape_controls;
use crate::session::{DumpEnd, DumpEvent, Link, Session, SessionError, ended_text};
use crate::target::Target;

/// Addresses of shown objects that are remembered, so that a second attempt does not repeat them.
const MAX_REMEMBERED: usize = 4_000_000;

/// Types whose objects refer to nothing, so that the collector does not track them.
const UNTRACKED: [&str; 17] = [
    "NoneType",
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "date",
    "datetime",
    "ellipsis",
    "float",
    "int",
    "ndarray",
    "object",
    "range",
    "str",
    "time",
    "timedelta",
    "Decimal",
];

pub(super) fn run(args: &DumpArgs, common: &Common, output: &Output) -> anyhow::Result<Exit> {
    let interrupts = Interrupts::listen()?;
    let target = Target::choose(&args.target, output)?;
    let result = attach_and_dump(args, common, &target, &interrupts, output);
    target.conclude(result, &interrupts, output)
}

fn attach_and_dump(
    args: &DumpArgs,
    common: &Common,
    target: &Target,
    interrupts: &Interrupts,
    output: &Output,
) -> anyhow::Result<Exit> {
    let memory = memory_of(target.pid);
    check_pause(&memory, None, args.target.max_pause)?;
    let mut session = Door::new(target, &args.target, interrupts, output)?
        .open()
        .map_err(|error| match error {
            OpenError::Session(SessionError::TargetExited) => ended_too_early(target.pid).into(),
            error => error.into_error(target.pid),
        })?;
    let view = DumpView {
        format: if common.json {
            DumpFormat::Json
        } else {
            args.format
        },
        pid: target.pid,
        type_name: &args.r#type,
        repr_timeout: args.repr_timeout,
    };
    dump(
        &mut session,
        args,
        &view,
        Budget::new(&memory, args.target.max_pause).time_limit,
        output,
    )
}

/// Shows the objects as they come.
fn dump<L: Link>(
    session: &mut Session<L>,
    args: &DumpArgs,
    view: &DumpView<'_>,
    walk_limit: Duration,
    output: &Output,
) -> anyhow::Result<Exit> {
    let request = DumpRequest {
        type_name: &args.r#type,
        limit: args.limit,
        max_chars: args.max_chars,
        safe: args.safe,
        object_time_limit_ms: millis(args.repr_timeout),
        // Room for each object shown to take its time, within reason.
        time_limit_ms: millis(walk_limit + args.repr_timeout.saturating_mul(args.limit.min(60))),
    };
    let mut shown = HashSet::new();
    let mut names = NearNames::new(&args.r#type);
    let end = session.dump(&request, |event| -> Result<(), DumpError> {
        match event {
            DumpEvent::Attempt => names.forget(),
            DumpEvent::Type(row) => names.add(row.module, row.qualname, row.name),
            DumpEvent::Object(object) => {
                if shown.len() < MAX_REMEMBERED && !shown.insert(object.address) {
                    return Ok(());
                }
                output.result(&view.object(&object))?;
            }
        }
        Ok(())
    });
    let end = end.map_err(|error| match error {
        DumpError::Session(error) => error.into_failure(view.pid).into(),
        DumpError::Output(error) => error,
    })?;
    conclude(&end, shown.len() as u64, args, view, &names, output)
}

fn conclude(
    end: &DumpEnd,
    n_shown: u64,
    args: &DumpArgs,
    view: &DumpView<'_>,
    names: &NearNames,
    output: &Output,
) -> anyhow::Result<Exit> {
    output.result(&view.end(&DumpTotals {
        n_matching: end.n_matching,
        n_shown,
        pause_us: end.pause_us,
        ended: ended_key(end.ended),
    }))?;
    output.detail(
        1,
        format_args!(
            "the dump stopped the target for {}",
            duration(Duration::from_micros(end.pause_us))
        ),
    );
    if end.ended != Ended::Whole {
        let why = ended_text(end.ended, end.signal, end.clone_errno);
        if n_shown == 0 {
            let message = format!(
                "the heap of process {} could not be walked: {why}",
                view.pid
            );
            return Err(Failure::new(Exit::NoAttach, message).into());
        }
        output.warn(format_args!("the dump is not whole: {why}"));
    }
    if !end.skipped_type.is_empty() {
        output.warn(format_args!(
            "a walk failed at type {}; what its objects refer to was passed over",
            end.skipped_type
        ));
    }
    if end.n_matching > n_shown {
        output.note(format_args!(
            "{} of {} not shown; --limit 0 shows all",
            count(end.n_matching - n_shown),
            counted(end.n_matching, "object")
        ));
    }
    if n_shown > 0 {
        return Ok(Exit::Done);
    }
    let type_name = escape_controls(&args.r#type);
    let message = format!("process {} has no object of a type {type_name}", view.pid);
    Err(Failure::new(Exit::Nothing, message)
        .with_help(help(&args.r#type, names))
        .into())
}

fn ended_key(ended: Ended) -> &'static str {
    match ended {
        Ended::Whole => "whole",
        Ended::Cancelled => "cancelled",
        Ended::TimeLimit => "time_limit",
        Ended::MemoryLimit => "memory_limit",
        Ended::Crashed => "crashed",
        Ended::Collecting => "collecting",
        Ended::Unreadable => "unreadable",
        Ended::Refused => "refused",
        Ended::Unsupported => "unsupported",
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis())
        .unwrap_or(u32::MAX)
        .max(1)
}

/// What to try instead of a type that nothing is of.
fn help(wanted: &str, names: &NearNames) -> String {
    let short = wanted.strip_prefix("builtins.").unwrap_or(wanted);
    let last = short.rsplit('.').next().unwrap_or(short);
    if UNTRACKED.contains(&last) {
        return format!(
            "the collector does not track objects of type {}, and leakhunt sees only those that it \
             tracks",
            escape_controls(last)
        );
    }
    names.nearest().unwrap_or_else(|| {
        "`leakhunt growth --limit 0 --count 1` shows all types that there are".into()
    })
}

/// What ends a dump early.
enum DumpError {
    Session(SessionError),
    Output(anyhow::Error),
}

impl From<SessionError> for DumpError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<anyhow::Error> for DumpError {
    fn from(error: anyhow::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untracked_types_are_explained() {
        let help_for = |wanted: &str| help(wanted, &NearNames::new(wanted));
        assert!(help_for("str").contains("does not track objects of type str"));
        assert!(help_for("builtins.int").contains("does not track"));
        assert!(help_for("Nothing").contains("growth --limit 0"));
    }
}
