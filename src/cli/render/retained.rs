//! What kinds of objects retain, for people and as JSON.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use leakhunt_heap::{Paths, Retained, RetainedBy, RetainedKind, Snapshot};
use regex::Regex;
use serde::Serialize;

use super::numbers::{bytes, count, counted, share};
use super::table::{Emphasis, number, table, text};
use super::text::{cut_end, cut_start, escape_controls};

/// The name and version of the schema.
const RETAINED_SCHEMA: &str = "leakhunt.retained/1";
/// How wide names are at most.
const NAME_MAX: usize = 60;
/// How wide a path is where there is no terminal.
const PATH_MAX: usize = 200;

/// How it is to be shown.
#[derive(Debug)]
pub(crate) struct RetainedView<'a> {
    /// The file.
    pub(crate) name: &'a str,
    pub(crate) by: RetainedBy,
    /// The most rows to show.
    pub(crate) limit: Option<usize>,
    pub(crate) matches: Option<&'a Regex>,
    pub(crate) color: bool,
    pub(crate) width: Option<usize>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    file: &'a str,
    by: &'static str,
    objects: u64,
    bytes: u64,
    garbage_objects: u64,
    garbage_bytes: u64,
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    objects: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimate: bool,
    retained_bytes: u64,
    largest: Largest,
}

#[derive(Serialize)]
struct Largest {
    #[serde(rename = "type")]
    type_key: String,
    address: u64,
    retained_bytes: u64,
    path: Option<String>,
    evaluates: bool,
}

impl RetainedView<'_> {
    /// A table with the largest of each kind.
    pub(crate) fn text(&self, snapshot: &Snapshot, paths: &Paths, retained: &Retained) -> String {
        let rows: Vec<&RetainedKind> = self.rows(retained).collect();
        let n_shown = rows.len().min(self.limit.unwrap_or(usize::MAX));
        let mut shown = String::new();
        if rows.is_empty() {
            let _ = writeln!(shown, "no {} matches", self.word());
        } else {
            let columns = [
                text(self.word()),
                number("count"),
                number("bytes"),
                number("retained"),
                number("share"),
                number("largest"),
                text("path of the largest"),
            ];
            let cells = rows[..n_shown]
                .iter()
                .map(|row| (Emphasis::None, self.cells(snapshot, paths, retained, row)));
            shown.push_str(&table(&columns, cells, self.color));
        }
        if rows.len() > n_shown {
            let n_more = (rows.len() - n_shown) as u64;
            let more = format!("more {}", self.word());
            let _ = writeln!(shown, "{}", counted(n_more, &more));
        }
        self.foot(&mut shown, retained, &rows[..n_shown]);
        shown
    }

    /// One document.
    pub(crate) fn json(&self, snapshot: &Snapshot, paths: &Paths, retained: &Retained) -> Vec<u8> {
        let rows = self.rows(retained).map(|row| {
            let path = paths.to(snapshot, row.largest);
            Row {
                name: &row.name,
                objects: row.n_objects,
                bytes: row.size_bytes,
                estimate: row.is_estimate,
                retained_bytes: row.retained_bytes,
                largest: Largest {
                    type_key: snapshot.type_of(row.largest).key(),
                    address: snapshot.objects.address[row.largest.0 as usize],
                    retained_bytes: row.largest_retained_bytes,
                    evaluates: path.as_ref().is_some_and(|path| path.is_evaluable),
                    path: path.map(|path| path.expression),
                },
            }
        });
        super::json_line(&Document {
            schema: RETAINED_SCHEMA,
            file: self.name,
            by: self.word(),
            objects: retained.n_objects,
            bytes: retained.size_bytes,
            garbage_objects: retained.n_garbage,
            garbage_bytes: retained.garbage_bytes,
            rows: rows.collect(),
        })
    }

    fn rows<'r>(&self, retained: &'r Retained) -> impl Iterator<Item = &'r RetainedKind> {
        retained
            .rows
            .iter()
            .filter(|row| self.matches.is_none_or(|re| re.is_match(&row.name)))
    }

    fn word(&self) -> &'static str {
        match self.by {
            RetainedBy::Type => "type",
            RetainedBy::Module => "module",
            RetainedBy::Package => "package",
        }
    }

    fn cells(
        &self,
        snapshot: &Snapshot,
        paths: &Paths,
        retained: &Retained,
        row: &RetainedKind,
    ) -> Vec<String> {
        let about = if row.is_estimate { "~" } else { "" };
        let path = paths.to(snapshot, row.largest);
        let path = path.map(|path| path.expression).unwrap_or_default();
        let name = escape_controls(&row.name);
        // The other columns take about 45.
        let room = self.width.map_or(PATH_MAX, |width| {
            let left = width.saturating_sub(45 + name.chars().count().min(NAME_MAX));
            left.max(24)
        });
        vec![
            cut_start(&name, NAME_MAX).into_owned(),
            count(row.n_objects),
            format!("{about}{}", bytes(row.size_bytes)),
            bytes(row.retained_bytes),
            share(row.retained_bytes, retained.size_bytes),
            bytes(row.largest_retained_bytes),
            cut_end(&escape_controls(&path), room).into_owned(),
        ]
    }

    fn foot(&self, shown: &mut String, retained: &Retained, rows: &[&RetainedKind]) {
        let _ = writeln!(
            shown,
            "objects {}  bytes {}",
            count(retained.n_objects),
            bytes(retained.size_bytes)
        );
        if retained.n_garbage > 0 {
            let _ = writeln!(
                shown,
                "not counted: {} ({}) that nothing alive refers to; the collector has yet to free them",
                counted(retained.n_garbage, "object"),
                bytes(retained.garbage_bytes)
            );
        }
        if rows.iter().any(|row| row.is_estimate) {
            shown.push_str(
                "~ an estimate: basic size and items, the layout of the type is not known\n",
            );
        }
        shown.push_str(
            "retained: what would be freed with all of them. Kinds overlap, so the sum is more than \
             the heap.\n",
        );
    }
}
