//! `leakhunt hunt --account`: what the target's resident memory is made of.

use leakhunt_heap::Snapshot;

use crate::account::{account, name_owners};
use crate::args::{Common, HuntArgs};
use crate::budget::check_pause;
use crate::capture::{Wish, capture};
use crate::door::{Door, OpenError, ended_too_early};
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::memory_limit::memory_limit;
use crate::output::Output;
use crate::procfs::memory_of;
use crate::render::account::{Accounted, account_json, account_text};
use crate::rounds::LookEnd;
use crate::session::SessionError;
use crate::target::Target;

/// Takes the heap once, and the account after it.
pub(super) fn run_account(
    args: &HuntArgs,
    common: &Common,
    target: &Target,
    interrupts: &Interrupts,
    output: &Output,
) -> anyhow::Result<Exit> {
    let snapshot = take(args, target, interrupts, output)?;
    output.progress("taking the memory apart");
    let taken = account(target.pid, &snapshot);
    output.progress_is_over();
    let mut account = taken.map_err(|error| unreadable(target.pid, &error))?;
    name_owners(&mut account, &snapshot);
    let accounted = Accounted {
        pid: target.pid,
        python: &snapshot.capture.python,
        account: &account,
        limit: memory_limit(target.pid),
    };
    output.result(&if common.json {
        account_json(&accounted)
    } else {
        account_text(&accounted, output.width).into_bytes()
    })?;
    Ok(Exit::Done)
}

/// The agent has left when this returns: none of its memory is in the account.
fn take(
    args: &HuntArgs,
    target: &Target,
    interrupts: &Interrupts,
    output: &Output,
) -> anyhow::Result<Snapshot> {
    let memory = memory_of(target.pid);
    check_pause(&memory, None, args.target.max_pause)?;
    let failed = |error: SessionError| match error {
        SessionError::TargetExited => ended_too_early(target.pid),
        error => error.into_failure(target.pid),
    };
    let mut session = Door::new(target, &args.target, interrupts, output)?
        .open()
        .map_err(|error| match error {
            OpenError::Session(error) => failed(error).into(),
            error => error.into_error(target.pid),
        })?;
    let wish = Wish {
        pid: target.pid,
        names: args.names.into(),
        collect: args.collect,
        target: &args.target,
    };
    capture(&mut session, &wish, &memory, output).map_err(|end| match end {
        LookEnd::Session(error) => failed(error).into(),
        LookEnd::ForNow(error) | LookEnd::ForGood(error) => error,
    })
}

fn unreadable(pid: u32, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => Failure::new(
            Exit::NoAttach,
            format!("the memory of process {pid} may not be read: {error}"),
        )
        .with_help("run leakhunt as the user of the process, or as root"),
        _ => ended_too_early(pid),
    }
}
