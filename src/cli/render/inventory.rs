//! What the renderings of all inventories have in common.

#[cfg(test)]
pub(super) mod samples;

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::numbers::{count, counted, duration};
use super::rows::{moment, rfc3339};
use crate::commands::inventory::{Group, How, Listing};

/// How many of `n` are shown.
pub(super) fn n_shown(n: usize, how: &How) -> usize {
    match how.limit {
        0 => n,
        limit => n.min(limit),
    }
}

/// Those that are shown.
pub(super) fn shown<'a, T>(items: &'a [T], how: &How) -> &'a [T] {
    &items[..n_shown(items.len(), how)]
}

/// The same of what is no slice.
pub(super) fn limited<I: Iterator>(all: I, how: &How) -> std::iter::Take<I> {
    all.take(n_shown(usize::MAX, how))
}

/// What ends a table of `n` things: `7 caches, 2 not shown, 1 gone since the last look  pause 3 ms`.
pub(super) fn last_line<T>(listing: &Listing<T>, n: usize, what: &str, how: &How) -> String {
    let mut line = counted(n as u64, what);
    let n_hidden = n - n_shown(n, how);
    if n_hidden > 0 {
        let _ = write!(line, ", {} not shown", count(n_hidden as u64));
    }
    if listing.look > 1 && listing.n_gone > 0 {
        let n_gone = count(listing.n_gone as u64);
        let _ = write!(line, ", {n_gone} gone since the last look");
    }
    let _ = writeln!(line, "  pause {}", pause(listing));
    line
}

/// The text of a look between its number and an empty line, where there are others.
pub(super) fn framed<T>(listing: &Listing<T>, text: String) -> String {
    match listing.is_repeated {
        true => format!("look {}\n{text}\n", listing.look),
        false => text,
    }
}

/// `process 4121, 2026-02-03 04:05:06 UTC`.
pub(super) fn target_and_moment<T>(listing: &Listing<T>) -> String {
    format!("process {}, {}", listing.pid, moment(time_us(listing)))
}

/// `; 3 new, 1 gone`, and nothing at the first look.
pub(super) fn changes<T>(listing: &Listing<T>) -> String {
    if listing.look < 2 {
        return String::new();
    }
    let n_new = listing.items.iter().filter(|one| one.is_new).count();
    let (n_new, n_gone) = (count(n_new as u64), count(listing.n_gone as u64));
    format!("; {n_new} new, {n_gone} gone")
}

/// How long the target's interpreter stood still.
pub(super) fn pause<T>(listing: &Listing<T>) -> String {
    duration(Duration::from_micros(listing.pause_us))
}

/// The same in JSON.
pub(super) fn pause_ms<T>(listing: &Listing<T>) -> f64 {
    listing.pause_us as f64 / 1000.0
}

/// What each document of JSON starts with.
#[derive(Serialize)]
pub(super) struct Head {
    schema: &'static str,
    pid: u32,
    time: Option<String>,
    look: u64,
}

impl Head {
    pub(super) fn new<T>(schema: &'static str, listing: &Listing<T>) -> Self {
        Self {
            schema,
            pid: listing.pid,
            time: rfc3339(time_us(listing)),
            look: listing.look,
        }
    }
}

/// A group in JSON.
#[derive(Serialize)]
pub(super) struct GroupRow<'a> {
    name: &'a str,
    count: usize,
    delta: i64,
}

impl<'a> From<&'a Group> for GroupRow<'a> {
    fn from(group: &'a Group) -> Self {
        Self {
            name: &group.name,
            count: group.count,
            delta: group.delta,
        }
    }
}

/// Microseconds since 1970.
fn time_us<T>(listing: &Listing<T>) -> i64 {
    let micros = listing.time.unix_timestamp_nanos() / 1000;
    i64::try_from(micros).unwrap_or(i64::MAX)
}
