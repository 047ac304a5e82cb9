//! What event loops are to call: as a table, by callback, as JSON, as Home Assistant's profiler logs it.

mod groups;
mod json;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use time::OffsetDateTime;

use super::inventory::{framed, last_line, limited, n_shown};
use super::numbers::{count, counted, duration};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_start, escape_controls};
use crate::args::InventoryFormat;
use crate::commands::inventory::{How, Listed, Listing};
use crate::timers::{EventLoop, Handle, Mark, State};

/// A longer name or place loses its start in a table.
const MOST_NAME_CHARS: usize = 60;

/// What is to be shown, beside the handles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScheduledView<'a> {
    pub(crate) loops: &'a [EventLoop],
    pub(crate) is_grouped: bool,
    /// Whether it was asked who holds them.
    pub(crate) has_paths: bool,
}

/// A look at all loops.
pub(crate) fn scheduled(listing: &Listing<Handle>, view: &ScheduledView<'_>, how: &How) -> Vec<u8> {
    match how.format {
        InventoryFormat::Table => as_table(listing, view, how).into_bytes(),
        InventoryFormat::Json => json::json(listing, view, how),
        InventoryFormat::Ha => as_lines(listing, how).into_bytes(),
    }
}

fn as_table(listing: &Listing<Handle>, view: &ScheduledView<'_>, how: &How) -> String {
    let mut out = String::new();
    for (index, of) in view.loops.iter().enumerate() {
        out.push_str(&loop_line(index, of, listing));
    }
    let (shown, n, what) = match view.is_grouped {
        true => {
            let (shown, n) = groups::as_table(listing, how);
            (shown, n, "callback")
        }
        false => (handles(listing, view, how), listing.items.len(), "handle"),
    };
    out.push_str(&shown);
    out.push_str(&last_line(listing, n, what, how));
    framed(listing, out)
}

/// `loop 1: uvloop.Loop in MainThread, running, debug: 12 timers, 2 ready`.
fn loop_line(index: usize, of: &EventLoop, listing: &Listing<Handle>) -> String {
    let mut line = format!("loop {}: {}", index + 1, escape_controls(&of.type_name));
    if let Some(thread) = &of.thread_name {
        let _ = write!(line, " in {}", escape_controls(thread));
    }
    line.push_str(match (of.is_closed, of.is_running) {
        (Some(true), _) => ", closed",
        (_, Some(true)) => ", running",
        (_, Some(false)) => ", not running",
        _ => "",
    });
    if of.debug == Some(true) {
        line.push_str(", debug mode");
    }
    let n = |state: State| {
        let items = listing.items.iter().map(|listed| &listed.item);
        items
            .filter(|handle| handle.loop_address == of.address && handle.state == state)
            .count() as u64
    };
    let _ = write!(line, ": {}", counted(n(State::Waiting), "timer"));
    for (state, what) in [
        (State::Ready, "ready"),
        (State::Cancelled, "cancelled"),
        (State::Kept, "kept"),
    ] {
        if n(state) > 0 {
            let _ = write!(line, ", {} {what}", count(n(state)));
        }
    }
    if !of.has_queues {
        line.push_str(" (its queues are not known)");
    }
    line.push('\n');
    line
}

fn handles(listing: &Listing<Handle>, view: &ScheduledView<'_>, how: &How) -> String {
    let mut items: Vec<&Listed<Handle>> = listing.items.iter().collect();
    // A heap is no order for people. A service whose calls have timeouts has thousands that are cancelled:
    // they come last.
    items.sort_by(|one, other| {
        let key = |listed: &Listed<Handle>| {
            let rank = match listed.item.state {
                State::Ready => 0,
                State::Waiting => 1,
                State::Kept => 2,
                State::Cancelled => 3,
            };
            (rank, listed.item.in_seconds.unwrap_or(f64::MAX))
        };
        let ((rank, seconds), (other_rank, other_seconds)) = (key(one), key(other));
        rank.cmp(&other_rank)
            .then(seconds.total_cmp(&other_seconds))
    });
    items.truncate(n_shown(items.len(), how));
    let has_loops = view.loops.len() > 1;
    let mut columns = vec![number("in"), text("due")];
    if has_loops {
        columns.insert(0, number("loop"));
    }
    columns.extend([
        text("callback"),
        text("of"),
        number("args"),
        text("for"),
        text("at"),
    ]);
    if view.has_paths {
        columns.push(text("held by"));
    }
    columns.push(text("note"));
    let rows = items.iter().map(|listed| {
        let handle = &listed.item;
        let mut cells = Vec::new();
        if has_loops {
            let of = view.loops.iter();
            let index = of
                .map(|of| of.address)
                .position(|one| one == handle.loop_address);
            cells.push(index.map_or_else(String::new, |index| (index + 1).to_string()));
        }
        cells.push(match handle.state {
            State::Ready => "ready".to_owned(),
            State::Kept => "kept".to_owned(),
            _ => handle.in_seconds.map(in_text).unwrap_or_default(),
        });
        let due = handle.in_seconds.filter(|_| handle.state != State::Ready);
        cells.push(
            due.and_then(|due| due_text(listing.time, due))
                .unwrap_or_default(),
        );
        cells.push(cut(&handle.callback_text()));
        cells.push(handle.bound_type.as_deref().map(cut).unwrap_or_default());
        cells.push(count(handle.n_args));
        cells.push(for_text(handle));
        cells.push(handle.place_text().as_deref().map(cut).unwrap_or_default());
        if view.has_paths {
            let path = handle.held.as_ref().map(|held| held.path.as_str());
            cells.push(path.map(cut).unwrap_or_default());
        }
        cells.push(notes(listed));
        let emphasis = match handle.marks.is_empty() {
            true if handle.state == State::Cancelled => Emphasis::Weak,
            true => Emphasis::None,
            false => Emphasis::Strong,
        };
        (emphasis, cells)
    });
    let mut out = table(&columns, rows, how.color);
    for listed in &items {
        out.push_str(&made_at(&listed.item));
    }
    out
}

/// Where a handle was made, for a loop in debug mode: the innermost place outside of asyncio.
fn made_at(handle: &Handle) -> String {
    let is_own = |file: &str| file.contains("/asyncio/") || file.contains("/uvloop/");
    let mut frames = handle.made_at.iter().rev();
    let Some(frame) = frames.find(|frame| !is_own(&frame.file)) else {
        return String::new();
    };
    let place = format!("{}:{}", frame.file, frame.line);
    let function = frame.function.as_deref().unwrap_or("?");
    format!(
        "  {} made at {} in {}\n",
        cut(&handle.callback_text()),
        cut(&place),
        cut(function)
    )
}

fn cut(text: &str) -> String {
    cut_start(&escape_controls(text), MOST_NAME_CHARS).into_owned()
}

/// The coroutine and the task that wait.
fn for_text(handle: &Handle) -> String {
    let Some(waiter) = &handle.waiter else {
        return String::new();
    };
    let coroutine = waiter.coroutine.as_deref().map(cut).unwrap_or_default();
    match &waiter.task {
        Some(task) => format!("{coroutine} ({})", cut(task)),
        None => coroutine,
    }
}

fn notes(listed: &Listed<Handle>) -> String {
    let mut notes = Vec::new();
    if listed.item.state == State::Cancelled {
        notes.push("cancelled");
    }
    notes.extend(listed.item.marks.iter().map(|mark| mark_text(*mark)));
    if listed.is_new {
        notes.push("new");
    }
    notes.join(", ")
}

fn mark_text(mark: Mark) -> &'static str {
    match mark {
        Mark::Overdue => "overdue",
        Mark::Far => "far away",
        Mark::Many => "one of many",
        Mark::Kept => "called or cancelled, and still held",
    }
}

/// `4.2 s`, `-3 s` for what was due.
fn in_text(seconds: f64) -> String {
    let size = Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX);
    let sign = if seconds < 0.0 { "-" } else { "" };
    format!("{sign}{}", duration(size))
}

/// `18:35:12` within a day, else with its date; nothing for what is no time.
fn due_text(now: OffsetDateTime, seconds: f64) -> Option<String> {
    let due = due(now, seconds)?;
    let clock = format!("{:02}:{:02}:{:02}", due.hour(), due.minute(), due.second());
    if (due - now).abs() < time::Duration::DAY {
        return Some(clock);
    }
    let (year, month, day) = due.to_calendar_date();
    Some(format!("{year:04}-{:02}-{day:02} {clock}", u8::from(month)))
}

fn due(now: OffsetDateTime, seconds: f64) -> Option<OffsetDateTime> {
    now.checked_add(time::Duration::saturating_seconds_f64(seconds))
}

fn as_lines(listing: &Listing<Handle>, how: &How) -> String {
    let handles = listing.items.iter().map(|listed| &listed.item);
    let timers = handles.filter(|handle| handle.state == State::Waiting);
    let lines = timers.filter_map(|handle| handle.ha_line.as_deref());
    let mut out = String::new();
    for line in limited(lines, how) {
        let _ = writeln!(out, "{line}");
    }
    out
}
