//! Text that guppy's `load` and its Profile Browser read.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::LOADER;
use crate::kinds::{KindRow, KindTable, KindTableFormat};

/// What the kind of objects without referrers is called, so that it has a name.
const NOTHING: &str = "<Nothing>";

/// A table as guppy dumps it, with all that its own files keep: rows in its order, totals that are
/// the sums of the rows, no line break within a kind. Kinds of one name are one row and a
/// kind without a name is `<Nothing>`, since the Profile Browser knows a kind by its name;
/// [`write_split`] keeps them as they are. The totals are those
/// of the rows whatever the table says.
pub fn write(table: &KindTable) -> String {
    write_rows(table, merged(table))
}

/// As [`write()`], but kinds of one name stay as many rows as they are, and those without a name stay so.
pub fn write_split(table: &KindTable) -> String {
    write_rows(table, table.rows.iter().map(one_line).collect())
}

fn write_rows(table: &KindTable, mut rows: Vec<KindRow>) -> String {
    rows.retain(|row| (row.n_objects, row.size_bytes) != (0, 0));
    match table.format {
        KindTableFormat::Set => rows.sort_by(|one, other| {
            let by_size = other.size_bytes.cmp(&one.size_bytes);
            by_size.then_with(|| one.kind.cmp(&other.kind))
        }),
        KindTableFormat::Id => rows.sort_by_key(|row| Reverse(row.size_bytes)),
        KindTableFormat::Diff { .. } => {
            rows.sort_by_key(|row| Reverse(row.size_bytes.unsigned_abs()));
        }
    }
    let is_difference = matches!(table.format, KindTableFormat::Diff { .. });
    if !is_difference && rows.iter().all(|row| row.size_bytes == 0) {
        // guppy divides by the bytes of all rows when it prints.
        rows.clear();
    }
    print(table, &rows)
}

fn print(table: &KindTable, rows: &[KindRow]) -> String {
    let (n_objects, size_bytes) = rows.iter().fold((0_i64, 0_i64), |sums, row| {
        (
            sums.0.saturating_add(row.n_objects),
            sums.1.saturating_add(row.size_bytes),
        )
    });
    let mut text = format!("{LOADER}\n");
    let mut header = |name: &str, value: &str| {
        let _ = writeln!(text, ".{name}: {value}");
    };
    let (format, of_subtrahend) = match table.format {
        KindTableFormat::Set => ("SetFormat", None),
        KindTableFormat::Id => ("IdFormat", None),
        KindTableFormat::Diff {
            n_objects,
            size_bytes,
        } => ("DiffFormat", Some((n_objects, size_bytes))),
    };
    header("format", format);
    header("timemade", &format!("{:.6}", table.time_made));
    if let Some((n_objects, size_bytes)) = of_subtrahend {
        header("b_count", &n_objects.to_string());
        header("b_size", &size_bytes.to_string());
    }
    header("count", &n_objects.to_string());
    header("size", &size_bytes.to_string());
    let mut titles = [
        ("kindname", without_line_breaks(&table.kind_name)),
        ("kindheader", without_line_breaks(&table.kind_header)),
    ];
    if of_subtrahend.is_some() {
        titles.reverse();
    }
    for (name, value) in &titles {
        header(name, value);
    }
    header("numrows", &rows.len().to_string());
    for row in rows {
        let _ = match table.format {
            KindTableFormat::Id => writeln!(text, ".r: {} {}", row.size_bytes, row.kind),
            KindTableFormat::Set | KindTableFormat::Diff { .. } => {
                writeln!(
                    text,
                    ".r: {} {} {}",
                    row.n_objects, row.size_bytes, row.kind
                )
            }
        };
    }
    let _ = writeln!(text, ".end: {LOADER}");
    text
}

fn merged(table: &KindTable) -> Vec<KindRow> {
    let mut rows: Vec<KindRow> = Vec::new();
    let mut index_by_kind = BTreeMap::<String, usize>::new();
    for mut row in table.rows.iter().map(one_line) {
        if row.kind.trim().is_empty() {
            row.kind = NOTHING.to_owned();
        }
        // Each row of an identity table is an object, whatever its name.
        if table.format == KindTableFormat::Id {
            rows.push(row);
            continue;
        }
        if let Some(&index) = index_by_kind.get(&row.kind) {
            let sum = &mut rows[index];
            sum.n_objects = sum.n_objects.saturating_add(row.n_objects);
            sum.size_bytes = sum.size_bytes.saturating_add(row.size_bytes);
        } else {
            index_by_kind.insert(row.kind.clone(), rows.len());
            rows.push(row);
        }
    }
    rows
}

fn one_line(row: &KindRow) -> KindRow {
    KindRow {
        kind: without_line_breaks(&row.kind).into_owned(),
        ..row.clone()
    }
}

/// Line breaks as two characters: guppy would end the row there.
fn without_line_breaks(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        Cow::Owned(text.replace('\n', "\\n").replace('\r', "\\r"))
    } else {
        Cow::Borrowed(text)
    }
}
