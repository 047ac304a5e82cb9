//! Each task with the chain of what it awaits.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::super::inventory::{limited, n_shown};
use super::super::numbers::{count, duration};
use super::super::text::escape_controls;
use super::{TasksView, keeper};
use crate::tasks::{Frame, Task, Unawaited};

pub(super) fn text(view: &TasksView<'_>) -> String {
    let names: HashMap<u64, String> = view
        .tasks()
        .map(|(task, _)| (task.address, escape_controls(&task.label()).into_owned()))
        .collect();
    let tasks = view
        .tasks()
        .map(|(task, is_new)| of_task(task, is_new, view, &names));
    let coroutines = view
        .coroutines()
        .map(|(one, is_new)| of_coroutine(one, is_new));
    let mut text = String::new();
    for one in limited(tasks.chain(coroutines), view.how) {
        text.push('\n');
        text.push_str(&one);
    }
    let n_all = view.listing.items.len();
    let n_left = n_all - n_shown(n_all, view.how);
    if n_left > 0 {
        let left = count(n_left as u64);
        let _ = writeln!(text, "\n{left} more not shown; --limit 0 shows all");
    }
    text
}

fn of_task(
    task: &Task,
    is_new: bool,
    view: &TasksView<'_>,
    names: &HashMap<u64, String>,
) -> String {
    let mut text = format!(
        "{} {}{}",
        escape_controls(&task.label()),
        task.state.word(),
        age(is_new, task.seen_seconds)
    );
    if view.loops.len() > 1
        && let Some(event_loop) = view
            .loops
            .iter()
            .find(|one| Some(one.address) == task.event_loop)
    {
        let of = event_loop.thread_name.as_deref().unwrap_or("no thread");
        let _ = write!(text, ", loop of {}", escape_controls(of));
    }
    if task.loop_is_closed {
        text.push_str(", its loop is closed");
    }
    text.push('\n');
    for place in &task.chain {
        let at = place.whole_at();
        let at = if at.is_empty() {
            at
        } else {
            format!("  {}", escape_controls(&at))
        };
        let _ = writeln!(text, "    {}{at}", escape_controls(&place.full_name()));
    }
    if task.chain_is_cut {
        text.push_str("    …\n");
    }
    if let Some(future) = task.waits_for.as_ref().filter(|_| !task.state.is_final()) {
        let what = names
            .get(&future.address)
            .map(|name| format!("task {name}"));
        let _ = writeln!(
            text,
            "    waits for {}",
            what.unwrap_or_else(|| future.kind())
        );
    }
    if let Some(raised) = &task.exception {
        let mut line = format!("    raised {}", escape_controls(&raised.type_name));
        if let (Some(file), Some(number)) = (&raised.file, raised.line) {
            let _ = write!(line, " at {}:{number}", escape_controls(file));
        }
        if task.is_unretrieved {
            line.push_str(", which nobody has asked for");
        }
        let _ = writeln!(text, "{line}");
    }
    for waiter in &task.awaited_by {
        let address = format!("a task at {:#x}", waiter.task);
        let by = names.get(&waiter.task).unwrap_or(&address);
        let _ = writeln!(
            text,
            "    awaited by {by} ({})",
            escape_controls(&waiter.via)
        );
    }
    text.push_str(&made_at(&task.created_at));
    let keeper = keeper(task.held.as_ref());
    if !keeper.is_empty() {
        let _ = writeln!(text, "    kept by {keeper}");
    }
    text
}

fn of_coroutine(one: &Unawaited, is_new: bool) -> String {
    let mut text = format!(
        "coroutine {} at {:#x}, never awaited{}\n    {}\n",
        escape_controls(&one.place.full_name()),
        one.address,
        age(is_new, one.seen_seconds),
        escape_controls(&one.place.whole_at())
    );
    text.push_str(&made_at(&one.created_at));
    let keeper = keeper(one.held.as_ref());
    if !keeper.is_empty() {
        let _ = writeln!(text, "    kept by {keeper}");
    }
    text
}

/// The innermost frame that is not asyncio's own: the one that a person wrote.
fn made_at(frames: &[Frame]) -> String {
    let is_own = |frame: &&Frame| !frame.file.contains("/asyncio/");
    let frame = frames.iter().rev().find(is_own).or(frames.last());
    frame.map_or_else(String::new, |frame| {
        format!(
            "    made in {} at {}:{}\n",
            escape_controls(&frame.function),
            escape_controls(&frame.file),
            frame.line
        )
    })
}

/// `, new`, `, seen for 60 s`.
fn age(is_new: bool, seconds: f64) -> String {
    if is_new {
        ", new".into()
    } else if seconds > 0.0 {
        format!(", seen for {}", duration(Duration::from_secs_f64(seconds)))
    } else {
        String::new()
    }
}
