//! Handles as a document of JSON.

use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use super::groups::groups;
use super::{ScheduledView, due};
use crate::commands::inventory::{Held, How, Listed, Listing};
use crate::render::inventory::{Head, pause_ms, shown};
use crate::render::json_line;
use crate::timers::{EventLoop, Handle, Mark};

/// The name and version of the schema.
const SCHEDULED_SCHEMA: &str = "leakhunt.scheduled/1";

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head,
    pause_ms: f64,
    n_handles: usize,
    n_gone: usize,
    n_missing: usize,
    loops: Vec<LoopRow<'a>>,
    groups: Vec<GroupRow<'a>>,
    handles: Vec<HandleRow<'a>>,
}

#[derive(Serialize)]
struct LoopRow<'a> {
    address: u64,
    #[serde(rename = "type")]
    type_name: &'a str,
    uvloop: bool,
    queues_known: bool,
    running: Option<bool>,
    closed: Option<bool>,
    debug: Option<bool>,
    thread: Option<&'a str>,
    clock_seconds: Option<f64>,
}

#[derive(Serialize)]
struct GroupRow<'a> {
    callback: String,
    coroutine: Option<&'a str>,
    waiting: u64,
    ready: u64,
    cancelled: u64,
    kept: u64,
    delta: i64,
    soonest_in_seconds: Option<f64>,
    latest_in_seconds: Option<f64>,
    marks: Vec<&'static str>,
}

#[derive(Serialize)]
struct HandleRow<'a> {
    address: u64,
    #[serde(rename = "type")]
    type_name: &'a str,
    r#loop: u64,
    state: &'static str,
    when_seconds: Option<f64>,
    in_seconds: Option<f64>,
    due: Option<String>,
    callback: Option<&'a str>,
    partial: bool,
    file: Option<&'a str>,
    line: Option<u64>,
    bound_type: Option<&'a str>,
    bound_address: Option<u64>,
    args: u64,
    waiter: Option<WaiterRow<'a>>,
    made_at: Vec<FrameRow<'a>>,
    path: Option<&'a str>,
    holder: Option<&'a str>,
    marks: Vec<&'static str>,
    is_new: bool,
}

#[derive(Serialize)]
struct WaiterRow<'a> {
    task: Option<&'a str>,
    address: u64,
    coroutine: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u64>,
}

#[derive(Serialize)]
struct FrameRow<'a> {
    file: &'a str,
    line: u64,
    function: Option<&'a str>,
}

pub(super) fn json(listing: &Listing<Handle>, view: &ScheduledView<'_>, how: &How) -> Vec<u8> {
    json_line(&Document {
        head: Head::new(SCHEDULED_SCHEMA, listing),
        pause_ms: pause_ms(listing),
        n_handles: listing.n_items,
        n_gone: listing.n_gone,
        n_missing: listing.missing.len(),
        loops: view.loops.iter().map(loop_row).collect(),
        groups: group_rows(listing),
        handles: shown(&listing.items, how)
            .iter()
            .map(|listed| handle_row(listed, listing))
            .collect(),
    })
}

fn loop_row(of: &EventLoop) -> LoopRow<'_> {
    LoopRow {
        address: of.address,
        type_name: &of.type_name,
        uvloop: of.is_uvloop,
        queues_known: of.has_queues,
        running: of.is_running,
        closed: of.is_closed,
        debug: of.debug,
        thread: of.thread_name.as_deref(),
        clock_seconds: of.now,
    }
}

fn group_rows(listing: &Listing<Handle>) -> Vec<GroupRow<'_>> {
    let groups = groups(listing).into_iter();
    groups
        .map(|group| GroupRow {
            callback: group.first.callback_text(),
            coroutine: group.first.coroutine(),
            waiting: group.n_waiting,
            ready: group.n_ready,
            cancelled: group.n_cancelled,
            kept: group.n_kept,
            delta: group.delta,
            soonest_in_seconds: group.soonest_seconds,
            latest_in_seconds: group.latest_seconds,
            marks: keys(&group.marks),
        })
        .collect()
}

fn keys(marks: &[Mark]) -> Vec<&'static str> {
    marks.iter().map(|mark| mark.key()).collect()
}

fn handle_row<'a>(listed: &'a Listed<Handle>, listing: &Listing<Handle>) -> HandleRow<'a> {
    let handle = &listed.item;
    let due = handle
        .in_seconds
        .and_then(|seconds| due(listing.time, seconds));
    let held = handle.held.as_ref();
    HandleRow {
        address: handle.address,
        type_name: &handle.type_name,
        r#loop: handle.loop_address,
        state: handle.state.key(),
        when_seconds: handle.when,
        in_seconds: handle.in_seconds,
        due: due.and_then(|due| due.format(&Rfc3339).ok()),
        callback: handle.callback.as_deref(),
        partial: handle.is_partial,
        file: handle.file.as_deref(),
        line: handle.line,
        bound_type: handle.bound_type.as_deref(),
        bound_address: handle.bound_address,
        args: handle.n_args,
        waiter: handle.waiter.as_ref().map(|waiter| WaiterRow {
            task: waiter.task.as_deref(),
            address: waiter.task_address,
            coroutine: waiter.coroutine.as_deref(),
            file: waiter.file.as_deref(),
            line: waiter.line,
        }),
        made_at: handle
            .made_at
            .iter()
            .map(|frame| FrameRow {
                file: &frame.file,
                line: frame.line,
                function: frame.function.as_deref(),
            })
            .collect(),
        path: held.and_then(Held::known_path),
        holder: held.and_then(Held::known_holder),
        marks: keys(&handle.marks),
        is_new: listed.is_new,
    }
}
