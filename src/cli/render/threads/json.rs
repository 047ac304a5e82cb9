//! Threads as one line of JSON for each look.

use std::collections::BTreeMap;

use leakhunt_attach::{GilState, LockKind};
use serde::Serialize;

use super::ThreadsView;
use crate::commands::inventory::Listed;
use crate::render::inventory::{GroupRow, Head, pause_ms};
use crate::render::json_line;
use crate::threads::{Frame, Source, Thread};

/// The name and version of the JSON schema.
const THREADS_SCHEMA: &str = "leakhunt.threads/1";

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head,
    python: Option<&'a str>,
    source: &'static str,
    gil: Option<&'static str>,
    pause_ms: f64,
    n_threads: usize,
    n_native: usize,
    n_gone: usize,
    n_missing: usize,
    threads: Vec<ThreadRow<'a>>,
    groups: Vec<GroupRow<'a>>,
}

#[derive(Serialize)]
struct ThreadRow<'a> {
    ident: Option<u64>,
    native_id: Option<u32>,
    name: Option<&'a str>,
    comm: Option<&'a str>,
    main: bool,
    daemon: Option<bool>,
    target: Option<&'a str>,
    group: String,
    is_new: bool,
    state: Option<char>,
    cpu_user_ms: u64,
    cpu_system_ms: u64,
    waits_for: Option<&'static str>,
    syscall: Option<&'a str>,
    holds_gil: Option<bool>,
    lock: Option<LockRow>,
    deadlocked: bool,
    stack: Vec<FrameRow<'a>>,
    torn: bool,
    cut: bool,
}

#[derive(Serialize)]
struct LockRow {
    kind: &'static str,
    address: u64,
    holder: Option<u64>,
}

#[derive(Serialize)]
struct FrameRow<'a> {
    file: &'a str,
    line: Option<u32>,
    name: &'a str,
    qualname: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    locals: BTreeMap<&'a str, &'a str>,
}

pub(super) fn document(view: &ThreadsView<'_>) -> Vec<u8> {
    let listing = view.listing;
    json_line(&Document {
        head: Head::new(THREADS_SCHEMA, listing),
        python: view.look.python.as_deref(),
        source: match view.look.source {
            Source::Agent => "agent",
            Source::Outside => "outside",
        },
        gil: match view.look.gil {
            GilState::Held => Some("held"),
            GilState::Free => Some("free"),
            GilState::Absent => Some("absent"),
            GilState::Unknown => None,
        },
        pause_ms: pause_ms(listing),
        n_threads: listing.n_items,
        n_native: view.look.n_native,
        n_gone: listing.n_gone,
        n_missing: listing.missing.len(),
        threads: view.shown().iter().map(thread).collect(),
        groups: listing.groups.iter().map(GroupRow::from).collect(),
    })
}

fn thread(one: &Listed<Thread>) -> ThreadRow<'_> {
    let thread = &one.item;
    let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    ThreadRow {
        ident: thread.ident,
        native_id: thread.native_id,
        name: thread.name.as_deref(),
        comm: thread.comm.as_deref(),
        main: thread.is_main,
        daemon: thread.is_daemon,
        target: thread.target.as_deref(),
        group: thread.group(),
        is_new: one.is_new,
        state: thread.state,
        cpu_user_ms: millis(thread.user_time),
        cpu_system_ms: millis(thread.system_time),
        waits_for: thread.wait.key(),
        syscall: thread.syscall.as_deref(),
        holds_gil: thread.holds_gil,
        lock: thread.lock.as_ref().map(|lock| LockRow {
            kind: match lock.kind {
                LockKind::Lock => "lock",
                LockKind::RLock => "rlock",
            },
            address: lock.address,
            holder: lock.holder,
        }),
        deadlocked: thread.is_deadlocked,
        stack: thread.frames.iter().map(frame).collect(),
        torn: thread.is_torn,
        cut: thread.is_cut,
    }
}

fn frame(frame: &Frame) -> FrameRow<'_> {
    let locals = frame.locals.iter();
    FrameRow {
        file: &frame.file,
        line: frame.line,
        name: &frame.name,
        qualname: frame.qualified_name.as_deref(),
        locals: locals
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect(),
    }
}
