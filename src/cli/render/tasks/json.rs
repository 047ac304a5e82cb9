//! `leakhunt.tasks/1`.

use std::collections::HashMap;

use serde::Serialize;

use super::super::inventory::{Head, limited, pause_ms};
use super::super::json_line;
use super::TasksView;
use super::groups::{Members, members};
use crate::commands::inventory::Held;
use crate::tasks::{Frame, Future, Item, Loop, Place, Raised, Task, Unawaited};

const TASKS_SCHEMA: &str = "leakhunt.tasks/1";

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head,
    pause_ms: f64,
    n_items: usize,
    n_gone: usize,
    n_missing: usize,
    loops: &'a [Loop],
    groups: Vec<GroupRow<'a>>,
    tasks: Vec<TaskRow<'a>>,
    coroutines: Vec<CoroutineRow<'a>>,
}

#[derive(Serialize)]
struct GroupRow<'a> {
    state: &'static str,
    coroutine: String,
    file: Option<&'a str>,
    line: Option<u64>,
    count: usize,
    delta: i64,
    kept_by: Option<&'a str>,
    kept: usize,
}

#[derive(Serialize)]
struct TaskRow<'a> {
    address: u64,
    r#type: &'a str,
    name: Option<&'a str>,
    state: &'static str,
    r#loop: Option<u64>,
    loop_closed: bool,
    is_new: bool,
    seen_seconds: f64,
    chain: &'a [Place],
    chain_cut: bool,
    waits_for: Option<&'a Future>,
    awaited_by: Vec<WaiterRow<'a>>,
    created_at: &'a [Frame],
    exception: Option<&'a Raised>,
    unretrieved: bool,
    held: Option<HeldRow<'a>>,
}

#[derive(Serialize)]
struct CoroutineRow<'a> {
    address: u64,
    name: &'a str,
    module: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u64>,
    is_new: bool,
    seen_seconds: f64,
    created_at: &'a [Frame],
    held: Option<HeldRow<'a>>,
}

#[derive(Serialize)]
struct WaiterRow<'a> {
    task: u64,
    name: Option<&'a str>,
    via: &'a str,
}

#[derive(Serialize)]
struct HeldRow<'a> {
    holder: Option<&'a str>,
    path: Option<&'a str>,
    retained_bytes: u64,
}

pub(super) fn document(view: &TasksView<'_>) -> Vec<u8> {
    let listing = view.listing;
    let names: HashMap<u64, &str> = view
        .tasks()
        .filter_map(|(task, _)| Some((task.address, task.name.as_deref()?)))
        .collect();
    let members = members(listing);
    json_line(&Document {
        head: Head::new(TASKS_SCHEMA, listing),
        pause_ms: pause_ms(listing),
        n_items: listing.n_items,
        n_gone: listing.n_gone,
        n_missing: listing.missing.len(),
        loops: view.loops,
        groups: members.iter().map(group_row).collect(),
        tasks: limited(view.tasks(), view.how)
            .map(|(task, is_new)| task_row(task, is_new, &names))
            .collect(),
        coroutines: limited(view.coroutines(), view.how)
            .map(|(one, is_new)| coroutine_row(one, is_new))
            .collect(),
    })
}

fn group_row<'a>(one: &'a Members<'a>) -> GroupRow<'a> {
    let (state, coroutine, place) = match one.example {
        Item::Task(task) => (task.state.word(), task.coroutine_name(), task.chain.first()),
        Item::Unawaited(coroutine) => {
            let place = &coroutine.place;
            ("never_awaited", place.full_name(), Some(place))
        }
    };
    GroupRow {
        state,
        coroutine,
        file: place.and_then(|place| place.file.as_deref()),
        line: place.and_then(|place| place.line.or(place.first_line)),
        count: one.group.count,
        delta: one.group.delta,
        kept_by: (one.keeper.1 > 0).then_some(&one.keeper.0),
        kept: one.keeper.1,
    }
}

fn task_row<'a>(task: &'a Task, is_new: bool, names: &HashMap<u64, &'a str>) -> TaskRow<'a> {
    let waiters = task.awaited_by.iter().map(|waiter| WaiterRow {
        task: waiter.task,
        name: names.get(&waiter.task).copied(),
        via: &waiter.via,
    });
    TaskRow {
        address: task.address,
        r#type: &task.type_name,
        name: task.name.as_deref(),
        state: task.state.word(),
        r#loop: task.event_loop,
        loop_closed: task.loop_is_closed,
        is_new,
        seen_seconds: task.seen_seconds,
        chain: &task.chain,
        chain_cut: task.chain_is_cut,
        waits_for: task.waits_for.as_ref(),
        awaited_by: waiters.collect(),
        created_at: &task.created_at,
        exception: task.exception.as_ref(),
        unretrieved: task.is_unretrieved,
        held: task.held.as_ref().map(held_row),
    }
}

fn coroutine_row(one: &Unawaited, is_new: bool) -> CoroutineRow<'_> {
    CoroutineRow {
        address: one.address,
        name: &one.place.name,
        module: one.place.module.as_deref(),
        file: one.place.file.as_deref(),
        line: one.place.first_line,
        is_new,
        seen_seconds: one.seen_seconds,
        created_at: &one.created_at,
        held: one.held.as_ref().map(held_row),
    }
}

fn held_row(held: &Held) -> HeldRow<'_> {
    HeldRow {
        holder: held.known_holder(),
        path: held.known_path(),
        retained_bytes: held.retained_bytes,
    }
}
