//! What was written of a heap, for people and for scripts.

use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_heap::{
    Capture, CollectorState, CycleGroup, GarbageLook, KindTable, why_not_collected,
};
use serde::Serialize;

use super::numbers::{bytes, count, counted, duration};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_end, escape_controls};

/// The names and versions of the JSON schemas.
const TAKEN_SCHEMA: &str = "leakhunt.snapshot-taken/1";
const MEMORY_SCHEMA: &str = "leakhunt.memory/1";
/// How many kinds are shown to people.
const N_KINDS: usize = 10;
/// How much of a cycle is shown to people.
const CYCLE_CHARS: usize = 200;
/// The widths of the columns beside the names of kinds, about, and the least that these have.
const OTHERS: usize = 24;
const KIND_MIN: usize = 40;

/// A snapshot that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken<'a> {
    pub(crate) path: &'a str,
    pub(crate) capture: &'a Capture,
    /// What nothing reaches.
    pub(crate) garbage: &'a GarbageLook,
    /// Objects in the file.
    pub(crate) n_objects: u64,
    /// Their bytes in the target.
    pub(crate) size_bytes: u64,
    /// References in the file; `None` where it holds none.
    pub(crate) n_references: Option<u64>,
    /// Bytes of the file.
    pub(crate) file_bytes: u64,
}

/// What keeps a snapshot from being whole and right; empty when nothing does.
pub(crate) fn shortcomings(capture: &Capture) -> Vec<String> {
    let mut all = Vec::new();
    if !capture.skipped_type.is_empty() {
        all.push(format!(
            "the walk failed at type {}; what its objects refer to is missing",
            escape_controls(&capture.skipped_type)
        ));
    }
    if capture.is_during_collection {
        all.push(
            "the collector was at work in the target: objects it had in hand may be missing".into(),
        );
    }
    if capture.n_dangling > 0 {
        all.push(format!(
            "{} to something that is no object that was found",
            counted(capture.n_dangling, "reference")
        ));
    }
    if capture.n_violations > 0 {
        let owns = match capture.n_violations {
            1 => "has more references than its",
            _ => "have more references than their",
        };
        all.push(format!(
            "self-check: {} {owns} count; something was misread there",
            counted(capture.n_violations, "object")
        ));
    }
    all
}

/// As lines.
pub(crate) fn taken_text(taken: &Taken<'_>) -> String {
    let references = taken.n_references.map_or(String::new(), |n_references| {
        format!(", {}", counted(n_references, "reference"))
    });
    let mut shown = format!(
        "{}: {} of {}{references}\n",
        escape_controls(taken.path),
        counted(taken.n_objects, "object"),
        bytes(taken.size_bytes),
    );
    let _ = writeln!(
        shown,
        "pause {}  walk {}  on disk {}",
        duration(Duration::from_micros(taken.capture.pause_us)),
        duration(Duration::from_micros(taken.capture.walk_us)),
        bytes(taken.file_bytes)
    );
    let shortcomings = shortcomings(taken.capture);
    if shortcomings.is_empty() {
        shown.push_str("coverage: whole; no object has more references than its count\n");
    }
    for shortcoming in shortcomings {
        let _ = writeln!(shown, "coverage: {shortcoming}");
    }
    garbage_lines(&mut shown, taken);
    shown
}

/// What nothing reaches, and most of it made by whom; nothing where there is none.
fn garbage_lines(shown: &mut String, taken: &Taken<'_>) {
    let garbage = taken.garbage;
    if garbage.n_objects == 0 {
        return;
    }
    let _ = writeln!(
        shown,
        "garbage: {} of {}, in {}",
        counted(garbage.n_objects, "object"),
        bytes(garbage.size_bytes),
        counted(garbage.n_cycles, "cycle")
    );
    if is_little(taken) {
        return;
    }
    if let Some(most) = garbage.groups.first() {
        let _ = writeln!(
            shown,
            "  most: {} of {}: {}",
            counted(most.n_cycles, "cycle"),
            bytes(most.held_bytes),
            cut_end(&escape_controls(&most.cycle), CYCLE_CHARS)
        );
    }
    for why in why_not_collected(taken.capture, garbage) {
        let _ = writeln!(shown, "  {}", escape_controls(&why));
    }
}

/// Whether there is so little garbage that it needs no reason: less than a hundredth of the heap, with
/// a collector that runs.
fn is_little(taken: &Taken<'_>) -> bool {
    let garbage = taken.garbage;
    let is_part = |part: u64, whole: u64| part.saturating_mul(100) < whole;
    is_part(garbage.n_objects, taken.n_objects)
        && is_part(garbage.size_bytes, taken.size_bytes)
        && garbage.n_frozen == 0
        && taken.capture.collector.runs()
}

/// As a document.
pub(crate) fn taken_json(taken: &Taken<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        path: &'a str,
        pid: u32,
        python: &'a str,
        free_threaded: bool,
        taken_at_us: u64,
        pause_ms: f64,
        walk_ms: f64,
        objects: u64,
        bytes: u64,
        references: Option<u64>,
        file_bytes: u64,
        rss_bytes: u64,
        names: &'a str,
        during_collection: bool,
        skipped_type: Option<&'a str>,
        dangling: u64,
        violations: u64,
        collector: &'a CollectorState,
        garbage: Garbage<'a>,
    }
    let capture = taken.capture;
    json_line(&Document {
        schema: TAKEN_SCHEMA,
        path: taken.path,
        pid: capture.pid,
        python: &capture.python,
        free_threaded: capture.free_threaded,
        taken_at_us: capture.taken_at_us,
        pause_ms: millis(capture.pause_us),
        walk_ms: millis(capture.walk_us),
        objects: taken.n_objects,
        bytes: taken.size_bytes,
        references: taken.n_references,
        file_bytes: taken.file_bytes,
        rss_bytes: capture.rss_bytes,
        names: &capture.names,
        during_collection: capture.is_during_collection,
        skipped_type: (!capture.skipped_type.is_empty()).then_some(&capture.skipped_type),
        dangling: capture.n_dangling,
        violations: capture.n_violations,
        collector: &capture.collector,
        garbage: Garbage::of(taken),
    })
}

/// See [`GarbageLook`].
#[derive(Serialize)]
struct Garbage<'a> {
    objects: u64,
    bytes: u64,
    frozen: u64,
    n_cycles: u64,
    cycles: Vec<Cycles<'a>>,
    why: Vec<String>,
}

/// See [`CycleGroup`].
#[derive(Serialize)]
struct Cycles<'a> {
    made_by: Option<&'a str>,
    package: Option<&'a str>,
    types: &'a [String],
    n_cycles: u64,
    objects: u64,
    bytes: u64,
    cycle: &'a str,
    through: &'a [String],
}

impl<'a> Garbage<'a> {
    fn of(taken: &Taken<'a>) -> Self {
        let garbage = taken.garbage;
        let known = |text: &'a str| (!text.is_empty()).then_some(text);
        let row = |group: &'a CycleGroup| Cycles {
            made_by: known(&group.made_by),
            package: known(&group.package),
            types: &group.types,
            n_cycles: group.n_cycles,
            objects: group.n_held,
            bytes: group.held_bytes,
            cycle: &group.cycle,
            through: &group.through,
        };
        Self {
            objects: garbage.n_objects,
            bytes: garbage.size_bytes,
            frozen: garbage.n_frozen,
            n_cycles: garbage.n_cycles,
            cycles: garbage.groups.iter().take(N_KINDS).map(row).collect(),
            why: why_not_collected(taken.capture, garbage),
        }
    }
}

/// What appeared within a time, written.
#[derive(Clone, Debug)]
pub(crate) struct Appeared<'a> {
    pub(crate) path: &'a str,
    pub(crate) pid: u32,
    pub(crate) python: &'a str,
    /// The time.
    pub(crate) elapsed: Duration,
    pub(crate) table: &'a KindTable,
    pub(crate) file_bytes: u64,
    /// Of both snapshots together.
    pub(crate) pause_us: u64,
    /// What is not certain about it.
    pub(crate) notes: Vec<String>,
}

/// As lines; names of kinds are cut to the columns of a terminal, where there is one.
pub(crate) fn appeared_text(appeared: &Appeared<'_>, color: bool, width: Option<usize>) -> String {
    let kind_chars = width.map_or(usize::MAX, |width| {
        width.saturating_sub(OTHERS).max(KIND_MIN)
    });
    let rows = &appeared.table.rows;
    let mut shown = format!(
        "{}: {} of {} appeared in {} and are still there\n",
        escape_controls(appeared.path),
        counted(unsigned(appeared.table.n_objects), "object"),
        bytes(unsigned(appeared.table.size_bytes)),
        duration(appeared.elapsed)
    );
    if !rows.is_empty() {
        let columns = [number("count"), number("bytes"), text("kind")];
        let cells = rows.iter().take(N_KINDS).map(|row| {
            let kind = escape_controls(&row.kind).into_owned();
            let cells = vec![
                count(unsigned(row.n_objects)),
                bytes(unsigned(row.size_bytes)),
                cut_end(&kind, kind_chars).into_owned(),
            ];
            (Emphasis::None, cells)
        });
        shown.push_str(&table(&columns, cells, color));
    }
    if rows.len() > N_KINDS {
        let n_more = (rows.len() - N_KINDS) as u64;
        let _ = writeln!(shown, "{} in the file", counted(n_more, "more kind"));
    }
    let _ = writeln!(
        shown,
        "pause {}, both looks together  on disk {}",
        duration(Duration::from_micros(appeared.pause_us)),
        bytes(appeared.file_bytes)
    );
    shown
}

/// As a document.
pub(crate) fn appeared_json(appeared: &Appeared<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Kind<'a> {
        kind: &'a str,
        count: i64,
        bytes: i64,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        path: &'a str,
        pid: u32,
        python: &'a str,
        seconds: f64,
        pause_ms: f64,
        objects: i64,
        bytes: i64,
        file_bytes: u64,
        kind_header: &'a str,
        kinds: Vec<Kind<'a>>,
        notes: &'a [String],
    }
    let table = appeared.table;
    json_line(&Document {
        schema: MEMORY_SCHEMA,
        path: appeared.path,
        pid: appeared.pid,
        python: appeared.python,
        seconds: appeared.elapsed.as_millis() as f64 / 1000.0,
        pause_ms: millis(appeared.pause_us),
        objects: table.n_objects,
        bytes: table.size_bytes,
        file_bytes: appeared.file_bytes,
        kind_header: &table.kind_header,
        kinds: table
            .rows
            .iter()
            .map(|row| Kind {
                kind: &row.kind,
                count: row.n_objects,
                bytes: row.size_bytes,
            })
            .collect(),
        notes: &appeared.notes,
    })
}

fn millis(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn json_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests;
