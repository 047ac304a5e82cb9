//! A snapshot for people: where it comes from, what is in it, what may be missing.

use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_heap::gate::Row;
use leakhunt_heap::{Capture, KindTable, Snapshot};

use super::arranged_rows;
use crate::render::numbers::{bytes, count, counted, duration, share};
use crate::render::rows::{RowView, moment};
use crate::render::table::{Emphasis, number, table as lines_of, text as text_column};
use crate::render::text::{cut_end, escape_controls};

/// How many rows are shown.
const LIMIT: usize = 20;
/// The widths of all columns but that of the names, about.
const OTHERS: usize = 44;

/// The table with the facts above and what may be missing below.
pub(super) fn text(snapshot: &Snapshot, table: &KindTable, rows: &[Row], view: &RowView) -> String {
    let capture = &snapshot.capture;
    let mut text = heading(capture, view);
    let what = match table.kind_header.as_str() {
        "Type" => "type",
        _ => "kind",
    };
    let matching = arranged_rows(rows, view);
    let n_shown = matching.len().min(view.limit(LIMIT).unwrap_or(usize::MAX));
    let shown = &matching[..n_shown];
    if shown.is_empty() {
        let _ = writeln!(text, "no {what} matches");
    } else {
        let columns = [
            text_column(what),
            number("count"),
            number("share"),
            number("bytes"),
            number("share"),
        ];
        let (n_objects, size_bytes) = (unsigned(table.n_objects), unsigned(table.size_bytes));
        let cells = shown.iter().map(|row| {
            let about = if row.is_estimate { "~" } else { "" };
            let cells = vec![
                view.name(&row.name, "", OTHERS),
                count(unsigned(row.n_objects)),
                share(unsigned(row.n_objects), n_objects),
                format!("{about}{}", bytes(unsigned(row.size_bytes))),
                share(unsigned(row.size_bytes), size_bytes),
            ];
            (Emphasis::None, cells)
        });
        text.push_str(&lines_of(&columns, cells, view.color));
    }
    if matching.len() > n_shown {
        let n_more = (matching.len() - n_shown) as u64;
        let _ = writeln!(text, "{}", counted(n_more, &format!("more {what}")));
    }
    totals(&mut text, snapshot, table);
    coverage(&mut text, capture);
    if shown.iter().any(|row| row.is_estimate) {
        text.push_str("~ an estimate: basic size and items, the layout of the type is not known\n");
    }
    text
}

fn heading(capture: &Capture, view: &RowView) -> String {
    let threads = match capture.free_threaded {
        true => " free-threaded",
        false => "",
    };
    let mut text = format!(
        "snapshot of process {}, CPython {}{threads}, {}\n",
        capture.pid,
        escape_controls(&capture.python),
        moment(i64::try_from(capture.taken_at_us).unwrap_or(i64::MAX)),
    );
    if !capture.command.is_empty() {
        let command = escape_controls(&capture.command);
        let _ = writeln!(
            text,
            "{}",
            cut_end(&command, view.width.unwrap_or(usize::MAX))
        );
    }
    text
}

fn totals(text: &mut String, snapshot: &Snapshot, table: &KindTable) {
    let capture = &snapshot.capture;
    let rss = match capture.rss_bytes {
        0 => String::new(),
        rss_bytes => format!("  RSS {}", bytes(rss_bytes)),
    };
    let _ = writeln!(
        text,
        "objects {}  bytes {}  references {}{rss}  pause {}  walk {}",
        count(unsigned(table.n_objects)),
        bytes(unsigned(table.size_bytes)),
        count(snapshot.references.target.len() as u64),
        duration(Duration::from_micros(capture.pause_us)),
        duration(Duration::from_micros(capture.walk_us)),
    );
}

/// What may be missing or wrong, each on a line.
fn coverage(text: &mut String, capture: &Capture) {
    if capture.is_during_collection {
        text.push_str("a collection was under way: objects that it held may be missing\n");
    }
    if !capture.skipped_type.is_empty() {
        let _ = writeln!(
            text,
            "a walk failed at type {}: what its objects refer to is missing",
            escape_controls(&capture.skipped_type)
        );
    }
    if capture.n_dangling > 0 {
        let _ = writeln!(
            text,
            "{} left out: what they lead to is not among the objects",
            counted(capture.n_dangling, "reference")
        );
    }
    match capture.n_violations {
        0 => text.push_str("self-check passed: no object has more referrers than its count\n"),
        n => {
            let _ = writeln!(
                text,
                "self-check failed: {} with more referrers than the reference count says",
                counted(n, "object")
            );
        }
    }
    if capture.names == "hidden" {
        text.push_str("keys of dicts were not taken\n");
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
