//! What is in a file, for people or as JSON.

mod json;
mod snapshot;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use leakhunt_heap::gate::Row;
use leakhunt_heap::{KindTable, Snapshot, hpy};

use super::diff::DiffView;
use super::rows::{RowView, moment};
use crate::args::DiffFormat;
use crate::difference::Difference;

/// How many rows guppy shows.
const GUPPY_LIMIT: usize = 10;

/// What is in a file.
#[derive(Debug)]
pub(crate) enum Shown<'f> {
    /// Tables, each with its number in the file.
    Tables {
        tables: Vec<(u64, &'f KindTable)>,
        /// How many there are in the file.
        n_tables: u64,
    },
    /// A snapshot, counted by kind.
    Snapshot {
        snapshot: &'f Snapshot,
        table: &'f KindTable,
        rows: &'f [Row],
    },
    /// From the first look of a log to the last.
    Growth {
        difference: &'f Difference,
        n_looks: u64,
    },
}

/// How it is to be shown.
#[derive(Debug)]
pub(crate) struct ShowView<'a> {
    /// The file.
    pub(crate) name: &'a str,
    pub(crate) json: bool,
    pub(crate) rows: RowView,
}

impl ShowView<'_> {
    /// What is to be printed.
    pub(crate) fn show(&self, shown: &Shown<'_>) -> Vec<u8> {
        if self.json {
            return json::document(shown, self.name, &self.rows);
        }
        match shown {
            Shown::Tables { tables, n_tables } => self.tables(tables, *n_tables).into_bytes(),
            Shown::Snapshot {
                snapshot,
                table,
                rows,
            } => snapshot::text(snapshot, table, rows, &self.rows).into_bytes(),
            Shown::Growth {
                difference,
                n_looks,
            } => {
                let view = DiffView {
                    format: DiffFormat::Table,
                    rows: self.rows.clone(),
                };
                let mut text = format!("growth log of {n_looks} looks\n").into_bytes();
                text.extend(view.show(difference));
                text
            }
        }
    }

    /// Each table as guppy prints it; where the file has more than one, each under its number.
    fn tables(&self, tables: &[(u64, &KindTable)], n_tables: u64) -> String {
        let mut text = String::new();
        for (index, &(number, table)) in tables.iter().enumerate() {
            if n_tables > 1 {
                let blank = if index > 0 { "\n" } else { "" };
                let at = moment((table.time_made * 1e6) as i64);
                let _ = writeln!(text, "{blank}table {number} of {n_tables}, {at}");
            }
            let table = arranged(table, &self.rows);
            text.push_str(&hpy::text(&table, self.rows.limit(GUPPY_LIMIT)));
            text.push('\n');
        }
        text
    }
}

/// A table with the rows that are to be shown, in their order: that of the file unless another is
/// asked for.
fn arranged(table: &KindTable, view: &RowView) -> KindTable {
    let mut table = table.clone();
    table.rows.retain(|row| view.shows(&row.kind));
    view.sort(
        &mut table.rows,
        None,
        |row| &row.kind,
        |row| row.n_objects.unsigned_abs(),
        |row| row.size_bytes.unsigned_abs(),
    );
    table
}

/// The rows of a snapshot that are to be shown, the most bytes first unless another order is asked
/// for.
fn arranged_rows<'r>(rows: &'r [Row], view: &RowView) -> Vec<&'r Row> {
    let mut rows: Vec<&Row> = rows.iter().filter(|row| view.shows(&row.name)).collect();
    view.sort(
        &mut rows,
        Some(crate::args::RowOrder::Size),
        |row| &row.name,
        |row| row.n_objects.unsigned_abs(),
        |row| row.size_bytes.unsigned_abs(),
    );
    rows
}
