//! What grew from one file to another, in any of its formats.

mod github;
mod json;
mod markdown;
mod table;
#[cfg(test)]
mod tests;

use leakhunt_heap::gate::{DiffRow, Exceeded};
use leakhunt_heap::hpy;

pub(super) use json::{Changes, changes};

use super::numbers::{bytes, count, counted};
use super::rows::RowView;
use super::text::escape_controls;
use crate::args::{DiffFormat, RowOrder};
use crate::difference::Difference;

/// How many rows are shown.
const LIMIT: usize = 20;
/// How many rows guppy shows.
const GUPPY_LIMIT: usize = 10;

/// How a difference is to be shown.
#[derive(Debug)]
pub(crate) struct DiffView {
    pub(crate) format: DiffFormat,
    pub(crate) rows: RowView,
}

impl DiffView {
    /// The difference as it is to be printed.
    pub(crate) fn show(&self, difference: &Difference) -> Vec<u8> {
        match self.format {
            DiffFormat::Table => table::text(difference, &self.rows).into_bytes(),
            DiffFormat::Guppy => guppy(difference, &self.rows).into_bytes(),
            DiffFormat::Json => json::document(difference, &self.rows),
            DiffFormat::Markdown => markdown::comment(difference, &self.rows).into_bytes(),
            DiffFormat::Github => github::annotations(difference).into_bytes(),
        }
    }
}

/// As guppy prints a difference.
fn guppy(difference: &Difference, view: &RowView) -> String {
    let mut table = difference.as_guppy();
    table.rows.retain(|row| view.shows(&row.kind));
    view.sort(
        &mut table.rows,
        None,
        |row| &row.kind,
        |row| row.n_objects.unsigned_abs(),
        |row| row.size_bytes.unsigned_abs(),
    );
    hpy::text(&table, view.limit(GUPPY_LIMIT)) + "\n"
}

/// Those of the rows that are to be shown, in order; with `only_changed` those with a change.
fn shown_rows<'d>(
    difference: &'d Difference,
    view: &RowView,
    only_changed: bool,
) -> Vec<&'d DiffRow> {
    let has_changed = |row: &DiffRow| row.objects_delta() != 0 || row.bytes_delta() != 0;
    let rows = difference.table.rows.iter();
    let mut rows: Vec<&DiffRow> = rows
        .filter(|row| view.shows(&row.name) && (!only_changed || has_changed(row)))
        .collect();
    view.sort(
        &mut rows,
        Some(RowOrder::Size),
        |row| &row.name,
        |row| row.objects_delta().unsigned_abs(),
        |row| row.bytes_delta().unsigned_abs(),
    );
    rows
}

/// What is over a limit, as a sentence: `shop.Template grew by 155 objects (12,155 to 12,310), 55 more
/// than shop.Template:+100 allows`.
pub(crate) fn sentence(exceeded: &Exceeded) -> String {
    let row = &exceeded.row;
    let name = match row.name.as_str() {
        "total" if exceeded.limit.starts_with("total:") => "all together".into(),
        name => escape_controls(name),
    };
    let amount = |number: i64| {
        let sign = if number < 0 { "-" } else { "" };
        let size = number.unsigned_abs();
        let size = if exceeded.is_bytes {
            bytes(size)
        } else {
            count(size)
        };
        format!("{sign}{size}")
    };
    let (before, after) = if exceeded.is_bytes {
        (row.bytes_before, row.bytes_after)
    } else {
        (row.n_before, row.n_after)
    };
    let growth = match exceeded.is_bytes {
        true => amount(exceeded.growth),
        false => counted(exceeded.growth.unsigned_abs(), "object"),
    };
    format!(
        "{name} grew by {growth} ({} to {}), {} more than {} allows",
        amount(before),
        amount(after),
        amount(exceeded.growth.saturating_sub(exceeded.allowed)),
        escape_controls(&exceeded.limit),
    )
}

/// In a few words what the limits say: `over 2 limits`; nothing where there is none.
pub(crate) fn verdict(difference: &Difference) -> Option<String> {
    let n_limits = difference.limits.len() as u64;
    let mut over: Vec<&str> = Vec::new();
    for exceeded in &difference.gate.exceeded {
        if !over.contains(&exceeded.limit.as_str()) {
            over.push(&exceeded.limit);
        }
    }
    match (over.len() as u64, n_limits) {
        (_, 0) => None,
        (0, 1) => Some("within the limit".to_owned()),
        (0, _) => Some(format!("within all {n_limits} limits")),
        (n_over, _) if n_over == n_limits => Some(format!("over {}", counted(n_over, "limit"))),
        (n_over, _) => Some(format!("over {n_over} of {n_limits} limits")),
    }
}

/// `1,234`, `-5`.
fn signed_count(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", count(number.unsigned_abs()))
}

/// `1.2 kB`, `-5 B`; `~` before an estimate.
fn signed_bytes(number: i64, is_estimate: bool) -> String {
    let about = if is_estimate { "~" } else { "" };
    let sign = if number < 0 { "-" } else { "" };
    format!("{about}{sign}{}", bytes(number.unsigned_abs()))
}
