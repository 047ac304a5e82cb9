//! Debug mode of event loops: as a table, as JSON, as Home Assistant's profiler logs it.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::inventory::{Head, framed, pause_ms, shown};
use super::json_line;
use super::numbers::{counted, duration};
use super::table::{Emphasis, number, table, text};
use super::text::escape_controls;
use crate::args::{AsyncioDebugAction, InventoryFormat};
use crate::commands::inventory::{How, Listed, Listing};
use crate::debug_mode::{LoopMode, ProcessMode};

/// The name and version of the JSON schema.
const ASYNCIO_DEBUG_SCHEMA: &str = "leakhunt.asyncio_debug/1";

/// What was done, and to which process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DebugView<'a> {
    pub(crate) action: AsyncioDebugAction,
    pub(crate) process: &'a ProcessMode,
}

/// How it is, and what was changed.
pub(crate) fn asyncio_debug(
    listing: &Listing<LoopMode>,
    view: &DebugView<'_>,
    how: &How,
) -> Vec<u8> {
    match how.format {
        InventoryFormat::Table => as_table(listing, view, how).into_bytes(),
        InventoryFormat::Json => json(listing, view, how),
        InventoryFormat::Ha => {
            let is_on = match view.action {
                AsyncioDebugAction::On => "True",
                AsyncioDebugAction::Off | AsyncioDebugAction::Status => "False",
            };
            format!("Setting asyncio debug to {is_on}\n").into_bytes()
        }
    }
}

fn as_table(listing: &Listing<LoopMode>, view: &DebugView<'_>, how: &How) -> String {
    let columns = [
        text("loop"),
        text("thread"),
        text("debug mode"),
        number("slow from"),
        text("note"),
    ];
    let shown = shown(&listing.items, how);
    let rows = shown.iter().map(|listed| {
        let emphasis = match listed.item.debug {
            Some(true) => Emphasis::Strong,
            _ => Emphasis::None,
        };
        (emphasis, row(listed))
    });
    let mut out = table(&columns, rows, how.color);
    let hidden = listing.items.len() - shown.len();
    if hidden > 0 {
        let _ = writeln!(out, "{} not shown", counted(hidden as u64, "loop"));
    }
    out.push_str(&process_lines(view.process));
    framed(listing, out)
}

fn row(listed: &Listed<LoopMode>) -> Vec<String> {
    let one = &listed.item;
    let on = |debug: Option<bool>| match debug {
        Some(true) => "on",
        Some(false) => "off",
        None => "not known",
    };
    let mut debug = on(one.debug).to_owned();
    let before = one.before.as_ref();
    if let Some(before) = before.filter(|before| Some(before.debug) != one.debug) {
        let _ = write!(debug, ", was {}", on(Some(before.debug)));
    }
    let mut slow = one.slow_callback_seconds.map(seconds).unwrap_or_default();
    if let Some(before) = before.and_then(|before| before.slow_callback_seconds)
        && Some(before) != one.slow_callback_seconds
    {
        let _ = write!(slow, ", was {}", seconds(before));
    }
    let mut notes = Vec::new();
    match (one.is_closed, one.is_running) {
        (Some(true), _) => notes.push("closed"),
        (_, Some(false)) => notes.push("not running"),
        _ => {}
    }
    if one.obstacle.is_some() {
        notes.push("not reached");
    }
    if listed.is_new {
        notes.push("new");
    }
    let thread = one.thread_name.as_deref().unwrap_or_default();
    vec![
        escape_controls(&one.type_name).into_owned(),
        escape_controls(thread).into_owned(),
        debug,
        slow,
        notes.join(", "),
    ]
}

fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| seconds.to_string(), duration)
}

/// What stands beside the loops: loggers, and what puts loops into debug mode from the start.
fn process_lines(process: &ProcessMode) -> String {
    let mut out = String::new();
    if let Some(level) = process.root_level {
        let _ = write!(out, "root logger {}", level_text(level));
        if let Some(before) = process.root_level_before {
            let _ = write!(out, ", was {}", level_text(before));
        }
        if process.root_handlers == Some(0) {
            out.push_str("; it has no handlers: warnings go to stderr, the rest nowhere");
        }
        if let Some(level) = process.asyncio_level.filter(|&level| level != 0) {
            let _ = write!(out, "; logger asyncio {}", level_text(level));
        }
        out.push('\n');
    }
    if process.dev_mode {
        out.push_str("python -X dev: new loops start in debug mode\n");
    } else if process.variable {
        out.push_str("PYTHONASYNCIODEBUG is set: new loops start in debug mode\n");
    }
    out
}

fn level_text(level: i64) -> String {
    let name = match level {
        0 => "NOTSET",
        10 => "DEBUG",
        20 => "INFO",
        30 => "WARNING",
        40 => "ERROR",
        50 => "CRITICAL",
        level => return format!("at level {level}"),
    };
    format!("at {name}")
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    head: Head,
    action: &'static str,
    pause_ms: f64,
    root_level: Option<i64>,
    root_level_before: Option<i64>,
    root_handlers: Option<u64>,
    asyncio_level: Option<i64>,
    dev_mode: bool,
    variable: bool,
    n_loops: usize,
    loops: Vec<LoopRow<'a>>,
}

#[derive(Serialize)]
struct LoopRow<'a> {
    address: u64,
    #[serde(rename = "type")]
    type_name: &'a str,
    thread: Option<&'a str>,
    running: Option<bool>,
    closed: Option<bool>,
    debug: Option<bool>,
    slow_callback_seconds: Option<f64>,
    changed: bool,
    debug_before: Option<bool>,
    slow_callback_seconds_before: Option<f64>,
    obstacle: Option<&'a str>,
    is_new: bool,
}

fn json(listing: &Listing<LoopMode>, view: &DebugView<'_>, how: &How) -> Vec<u8> {
    let process = view.process;
    json_line(&Document {
        head: Head::new(ASYNCIO_DEBUG_SCHEMA, listing),
        action: match view.action {
            AsyncioDebugAction::On => "on",
            AsyncioDebugAction::Off => "off",
            AsyncioDebugAction::Status => "status",
        },
        pause_ms: pause_ms(listing),
        root_level: process.root_level,
        root_level_before: process.root_level_before,
        root_handlers: process.root_handlers,
        asyncio_level: process.asyncio_level,
        dev_mode: process.dev_mode,
        variable: process.variable,
        n_loops: listing.n_items,
        loops: shown(&listing.items, how).iter().map(loop_row).collect(),
    })
}

fn loop_row(listed: &Listed<LoopMode>) -> LoopRow<'_> {
    let one = &listed.item;
    let before = one.before.as_ref();
    LoopRow {
        address: one.address,
        type_name: &one.type_name,
        thread: one.thread_name.as_deref(),
        running: one.is_running,
        closed: one.is_closed,
        debug: one.debug,
        slow_callback_seconds: one.slow_callback_seconds,
        changed: before.is_some(),
        debug_before: before.map(|before| before.debug),
        slow_callback_seconds_before: before.and_then(|before| before.slow_callback_seconds),
        obstacle: one.obstacle.as_deref(),
        is_new: listed.is_new,
    }
}
