//! Taking the graph of a target's heap.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use leakhunt_heap::{Capture, Snapshot};
use leakhunt_wire::{Ended, GraphRequest, Names, Place};

use crate::args::{NamesArgs, TargetArgs};
use crate::budget::{Budget, Memory};
use crate::output::Output;
use crate::procfs::command_of;
use crate::render::numbers::{bytes, count, duration};
use crate::rounds::{LookEnd, not_walked};
use crate::session::{Captured, CensusEnd, Link, Session, SessionError};

/// A progress line is written anew after so many objects more.
const PROGRESS_STEP: usize = 100_000;

/// How a heap is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) pid: u32,
    pub(crate) names: Names,
    /// Whether the collector runs first.
    pub(crate) collect: bool,
    pub(crate) target: &'a TargetArgs,
}

impl From<NamesArgs> for Names {
    fn from(args: NamesArgs) -> Self {
        match args {
            NamesArgs { no_names: true, .. } => Self::Hidden,
            NamesArgs { values: true, .. } => Self::All,
            NamesArgs { .. } => Self::Small,
        }
    }
}

/// Takes the heap and tells how far it has come.
///
/// # Errors
/// When the walk came to no end, or what came is no heap; [`LookEnd::ForNow`] may go better next time.
pub(crate) fn capture<L: Link>(
    session: &mut Session<L>,
    wish: &Wish<'_>,
    memory: &Memory,
    output: &Output,
) -> Result<Snapshot, LookEnd> {
    let taken_at_us = now_us();
    let mut next_step = PROGRESS_STEP;
    let most_bytes = memory.most_bytes();
    let captured = session.graph(&request(wish, memory), most_bytes, |n_objects| {
        if n_objects < next_step.saturating_sub(PROGRESS_STEP) {
            // Another attempt.
            next_step = PROGRESS_STEP;
        }
        if n_objects >= next_step {
            next_step = n_objects + PROGRESS_STEP;
            output.progress(format_args!("{} objects", count(n_objects as u64)));
        }
    });
    output.progress_is_over();
    let Captured { assembler, end } = captured?;
    check_end(&end, wish.pid)?;
    output.detail(
        1,
        format_args!(
            "the look stopped the target for {}; {} objects came as {}",
            duration(Duration::from_micros(end.pause_us)),
            count(assembler.n_objects() as u64),
            bytes(assembler.n_bytes() as u64)
        ),
    );
    if assembler.n_objects() >= PROGRESS_STEP {
        let n_objects = count(assembler.n_objects() as u64);
        output.progress(format_args!(
            "{n_objects} objects, all of them: putting them together"
        ));
    }
    let snapshot = assembler.finish(Capture {
        leakhunt: env!("CARGO_PKG_VERSION").into(),
        python: session.python.clone(),
        free_threaded: session.free_threaded,
        pid: wish.pid,
        command: command_of(wish.pid),
        taken_at_us,
        pause_us: end.pause_us,
        rss_bytes: memory.rss_bytes,
        names: match wish.names {
            Names::Hidden => "hidden",
            Names::Small => "small",
            Names::All => "all",
        }
        .into(),
        skipped_type: end.skipped_type,
        ..Capture::default()
    });
    output.progress_is_over();
    Ok(snapshot.map_err(SessionError::from)?)
}

fn request(wish: &Wish<'_>, memory: &Memory) -> GraphRequest {
    let budget = Budget::new(memory, wish.target.max_pause);
    GraphRequest {
        place: Place::Auto,
        refused_max_objects: budget.refused_max_objects / GRAPH_COST,
        names: wish.names,
        collect: wish.collect,
        time_bare_walk: false,
        time_limit_ms: u32::try_from((budget.time_limit * GRAPH_COST_TIME).as_millis())
            .unwrap_or(u32::MAX),
        memory_limit_bytes: budget.memory_limit_bytes,
    }
}

/// Taking an object with its references costs up to so many times what counting it costs: 3 to 6
/// times a bare walk of the lists, against 1 to 1.5 times (`benches/capture.rs`, `benches/census.rs`).
const GRAPH_COST: u64 = 4;
const GRAPH_COST_TIME: u32 = 4;

fn check_end(end: &CensusEnd, pid: u32) -> Result<(), LookEnd> {
    if end.ended == Ended::Whole {
        return Ok(());
    }
    let failure = not_walked(pid, end.ended, end.signal, end.clone_errno);
    Err(LookEnd::ForNow(failure.into()))
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}
