//! Growth as a table for people.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use leakhunt_heap::{GrowthRecord, HISTORY_LEN, Summary, TypeGrowth, WalkedIn};

use super::growth::{Frame, GrowthView};
use super::numbers::{bytes, bytes_delta, count, count_delta, counted, duration, per_minute};
use super::sparkline::sparkline;
use super::table::{Emphasis, number, table, text};
use super::text::{cut_start, escape_controls};

/// How many looks a trend needs.
const TREND_MIN: u64 = 3;
/// How wide a trend is.
const TREND_LEN: usize = 12;
/// How wide a type's name may be beside the other columns, at least.
const NAME_MIN: usize = 24;

/// One look.
pub(super) fn frame(frame: &Frame, view: &GrowthView) -> String {
    let step = &frame.step;
    let matching: Vec<&TypeGrowth> = step
        .rows
        .iter()
        .filter(|row| view.shows(&row.type_key))
        .collect();
    let mut shown: String = heading(frame);
    let rows = if step.look == 1 {
        biggest(matching.clone())
    } else {
        changed(matching.clone())
    };
    let n_changed = rows.len();
    let rows = &rows[..n_changed.min(view.limit())];
    if rows.is_empty() {
        shown.push_str(match step.look {
            1 => "no type matches\n",
            _ => "nothing grew or shrank\n",
        });
    } else {
        shown.push_str(&type_table(rows, frame, view));
    }
    footer(&mut shown, frame, rows, matching.len(), n_changed);
    shown.push('\n');
    shown
}

/// What grew from the first look to the last.
pub(super) fn summary(summary: &Summary, view: &GrowthView) -> String {
    let span = summary.elapsed_us.map_or(String::new(), |us| {
        format!(" in {}", duration(Duration::from_micros(us)))
    });
    let mut shown = format!("all {} looks{span}\n", summary.n_looks);
    let grown: Vec<_> = summary
        .grown
        .iter()
        .filter(|row| view.shows(&row.type_key))
        .collect();
    if grown.is_empty() {
        shown.push_str("no type has more objects than at first\n");
    } else {
        let columns = [
            text("type"),
            number("count"),
            number("delta"),
            number("per minute"),
            number("bytes delta"),
        ];
        let rows = grown.iter().take(view.limit()).map(|row| {
            let cells = vec![
                name(&row.type_key, "", view, 52),
                count(row.n_objects),
                count_delta(row.delta),
                row.per_minute.map_or(String::new(), per_minute),
                bytes_delta(row.bytes_delta),
            ];
            (Emphasis::None, cells)
        });
        shown.push_str(&table(&columns, rows, view.color));
        if grown.len() > view.limit() {
            let n_more = (grown.len() - view.limit()) as u64;
            let _ = writeln!(shown, "{} grew", counted(n_more, "more type"));
        }
    }
    let _ = writeln!(
        shown,
        "objects {}  bytes {}",
        with_delta(count(summary.n_objects), count_delta(summary.objects_delta)),
        with_delta(bytes(summary.size_bytes), bytes_delta(summary.bytes_delta)),
    );
    shown
}

/// The most bytes first.
fn biggest(mut rows: Vec<&TypeGrowth>) -> Vec<&TypeGrowth> {
    rows.sort_by_key(|row| Reverse(row.size_bytes));
    rows
}

/// Those with more objects first, then those with more bytes, then those that shrank.
fn changed(rows: Vec<&TypeGrowth>) -> Vec<&TypeGrowth> {
    let mut rows: Vec<_> = rows
        .into_iter()
        .filter(|row| row.delta != 0 || row.bytes_delta != 0)
        .collect();
    rows.sort_by_key(|row| {
        if row.delta > 0 {
            (0, Reverse(row.delta), Reverse(row.bytes_delta))
        } else if row.bytes_delta > 0 {
            (1, Reverse(row.bytes_delta), Reverse(row.delta))
        } else {
            (
                2,
                Reverse(row.delta.saturating_neg()),
                Reverse(row.bytes_delta.saturating_neg()),
            )
        }
    });
    rows
}

fn heading(frame: &Frame) -> String {
    let record = &frame.record;
    let time = record.time;
    let clock = format!(
        "{:02}:{:02}:{:02} UTC",
        time.hour(),
        time.minute(),
        time.second()
    );
    match frame.step.elapsed_us {
        _ if frame.step.look == 1 => {
            let python = match record.python.as_str() {
                "" => String::new(),
                version => format!(", CPython {}", escape_controls(version)),
            };
            format!(
                "look 1 of process {}{python} at {clock}: the baseline\n",
                record.pid
            )
        }
        Some(us) => {
            let since = duration(Duration::from_micros(us));
            format!(
                "look {} at {clock}, {since} after the last\n",
                frame.step.look
            )
        }
        None => format!("look {} at {clock}\n", frame.step.look),
    }
}

fn type_table(rows: &[&TypeGrowth], frame: &Frame, view: &GrowthView) -> String {
    let look = frame.step.look;
    let has_garbage = rows.iter().any(|row| row.n_garbage > Some(0));
    let mut columns = vec![text("type"), number("count")];
    // The widths of all other columns, about.
    let mut others = 12;
    if look > 1 {
        columns.extend([number("delta"), number("per minute")]);
        others += 24;
    }
    columns.push(number("bytes"));
    others += 11;
    if look > 1 {
        columns.push(number("bytes delta"));
        others += 13;
    }
    if has_garbage {
        columns.push(number("garbage"));
        others += 11;
    }
    if look >= TREND_MIN {
        columns.push(text("trend"));
        others += TREND_LEN + 2;
    }
    let cells = rows.iter().map(|row| {
        let mark = if row.grew_at_every_look { " *" } else { "" };
        let mut cells = vec![
            name(&row.type_key, mark, view, others),
            count(row.n_objects),
        ];
        if look > 1 {
            cells.push(count_delta(row.delta));
            cells.push(row.per_minute.map_or(String::new(), per_minute));
        }
        let about = if row.is_estimate { "~" } else { "" };
        cells.push(format!("{about}{}", bytes(row.size_bytes)));
        if look > 1 {
            cells.push(bytes_delta(row.bytes_delta));
        }
        if has_garbage {
            cells.push(match row.n_garbage {
                Some(0) => String::new(),
                Some(n_garbage) => count(n_garbage),
                None => "?".into(),
            });
        }
        if look >= TREND_MIN {
            cells.push(sparkline(&row.history, TREND_LEN));
        }
        let emphasis = if row.grew_at_every_look {
            Emphasis::Strong
        } else if row.delta < 0 && look > 1 {
            Emphasis::Weak
        } else {
            Emphasis::None
        };
        (emphasis, cells)
    });
    table(&columns, cells, view.color)
}

/// The type's name and its mark, cut to what the terminal has left; whole where there is none.
fn name(type_key: &str, mark: &str, view: &GrowthView, others: usize) -> String {
    let escaped = escape_controls(type_key);
    let max = match view.width {
        Some(width) => width.saturating_sub(others + mark.len()).max(NAME_MIN),
        None => usize::MAX,
    };
    format!("{}{mark}", cut_start(&escaped, max))
}

fn footer(
    shown: &mut String,
    frame: &Frame,
    rows: &[&TypeGrowth],
    n_types: usize,
    n_changed: usize,
) {
    let (step, record) = (&frame.step, &frame.record);
    let (n_more, n_same) = (n_changed - rows.len(), n_types - n_changed);
    let more = match step.look {
        1 if n_more > 0 => counted(n_more as u64, "more type"),
        _ => [(n_more, "more changed"), (n_same, "did not change")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, what)| format!("{} {what}", counted(n as u64, "type")))
            .collect::<Vec<_>>()
            .join(", "),
    };
    if !more.is_empty() {
        let _ = writeln!(shown, "{more}");
    }
    let _ = writeln!(
        shown,
        "objects {}  bytes {}  pause {}  {}",
        with_delta(count(step.n_objects), count_delta(step.objects_delta)),
        with_delta(bytes(step.size_bytes), bytes_delta(step.bytes_delta)),
        duration(Duration::from_micros((record.pause_ms * 1000.0) as u64)),
        walked(record),
    );
    if let Some(n_garbage) = step.n_garbage.filter(|&n| n > 0) {
        let _ = writeln!(
            shown,
            "garbage {}: nothing reaches them, the collector has still to free them",
            counted(n_garbage, "object")
        );
    }
    if step.n_garbage.is_none() {
        shown.push_str("garbage not known: the walk ended before it was told apart\n");
    }
    if record.attempts > 1 {
        let _ = writeln!(shown, "took {} walks", record.attempts);
    }
    if let Some(skipped) = &record.skipped_type {
        let _ = writeln!(
            shown,
            "a walk failed at type {}: what its objects refer to was passed over",
            escape_controls(skipped)
        );
    }
    if rows.iter().any(|row| row.grew_at_every_look) {
        let n_looks = (step.look - 1).min(HISTORY_LEN as u64);
        let _ = match n_looks == step.look - 1 {
            true => writeln!(shown, "* grew at every look"),
            false => writeln!(shown, "* grew at each of the last {n_looks} looks"),
        };
    }
    if rows.iter().any(|row| row.is_estimate) {
        shown
            .push_str("~ an estimate: basic size and items, the layout of the type is not known\n");
    }
    if step.look == 1 {
        shown.push_str("growth shows from the second look on\n");
    }
}

/// Where the heap was walked, and why there.
fn walked(record: &GrowthRecord) -> String {
    match (record.place, record.clone_errno) {
        (WalkedIn::Copy, _) => "walked in a copy".into(),
        (WalkedIn::Target, None) => {
            "walked in place: with so few objects that stalls it less than a copy".into()
        }
        (WalkedIn::Target, Some(errno)) => {
            let errno = i32::try_from(errno).unwrap_or(0);
            let why = std::io::Error::from_raw_os_error(errno);
            format!("walked in place: a copy was refused ({why})")
        }
    }
}

fn with_delta(value: String, delta: String) -> String {
    if delta.is_empty() {
        value
    } else {
        format!("{value} ({delta})")
    }
}

#[cfg(test)]
mod tests;
