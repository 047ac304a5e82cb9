//! What is in a file as a document of JSON.

use leakhunt_heap::{Capture, KindTable, KindTableFormat};
use serde::Serialize;

use super::{Shown, arranged, arranged_rows};
use crate::render::diff::{Changes, changes};
use crate::render::rows::{RowView, rfc3339};

/// The name and version of the schema.
const SHOW_SCHEMA: &str = "leakhunt.show/1";

#[derive(Serialize)]
struct Document<'f, T> {
    schema: &'static str,
    sort: &'static str,
    file: &'f str,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Tables {
    n_tables: u64,
    tables: Vec<Table>,
}

#[derive(Serialize)]
struct Table {
    number: u64,
    format: &'static str,
    time_made: f64,
    objects: i64,
    bytes: i64,
    kind_name: String,
    kind_header: String,
    /// Of a difference alone.
    subtrahend: Option<Subtrahend>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Subtrahend {
    objects: i64,
    bytes: i64,
}

#[derive(Serialize)]
struct Row {
    name: String,
    objects: i64,
    bytes: i64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimate: bool,
}

#[derive(Serialize)]
struct SnapshotContent<'f> {
    leakhunt: &'f str,
    pid: u32,
    command: &'f str,
    python: &'f str,
    free_threaded: bool,
    time: Option<String>,
    pause_ms: f64,
    walk_ms: f64,
    rss_bytes: Option<u64>,
    names: &'f str,
    during_collection: bool,
    skipped_type: Option<&'f str>,
    full_collections: u64,
    dangling_references: u64,
    violations: u64,
    references: u64,
    objects: i64,
    bytes: i64,
    by: &'f str,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Growth<'f> {
    looks: u64,
    #[serde(flatten)]
    changes: Changes<'f>,
}

/// One line.
pub(super) fn document(shown: &Shown<'_>, name: &str, view: &RowView) -> Vec<u8> {
    match shown {
        Shown::Tables { tables, n_tables } => {
            let tables = tables.iter();
            let content = Tables {
                n_tables: *n_tables,
                tables: tables
                    .map(|&(number, of)| table(number, &arranged(of, view)))
                    .collect(),
            };
            line("hpy", name, content)
        }
        Shown::Snapshot {
            snapshot,
            table,
            rows,
        } => {
            let rows = arranged_rows(rows, view);
            let rows = rows.into_iter().map(|row| Row {
                name: row.name.clone(),
                objects: row.n_objects,
                bytes: row.size_bytes,
                estimate: row.is_estimate,
            });
            let n_references = snapshot.references.target.len() as u64;
            let content = snapshot_content(&snapshot.capture, table, n_references, rows.collect());
            line("snapshot", name, content)
        }
        Shown::Growth {
            difference,
            n_looks,
        } => {
            let content = Growth {
                looks: *n_looks,
                changes: changes(difference, view),
            };
            line("growth", name, content)
        }
    }
}

fn line(sort: &'static str, file: &str, content: impl Serialize) -> Vec<u8> {
    let document = Document {
        schema: SHOW_SCHEMA,
        sort,
        file,
        content,
    };
    let mut line = serde_json::to_vec(&document).unwrap_or_default();
    line.push(b'\n');
    line
}

fn table(number: u64, table: &KindTable) -> Table {
    let (format, subtrahend) = match table.format {
        KindTableFormat::Set => ("SetFormat", None),
        KindTableFormat::Id => ("IdFormat", None),
        KindTableFormat::Diff {
            n_objects,
            size_bytes,
        } => (
            "DiffFormat",
            Some(Subtrahend {
                objects: n_objects,
                bytes: size_bytes,
            }),
        ),
    };
    let rows = table.rows.iter().map(|row| Row {
        name: row.kind.clone(),
        objects: row.n_objects,
        bytes: row.size_bytes,
        estimate: false,
    });
    Table {
        number,
        format,
        time_made: table.time_made,
        objects: table.n_objects,
        bytes: table.size_bytes,
        kind_name: table.kind_name.clone(),
        kind_header: table.kind_header.clone(),
        subtrahend,
        rows: rows.collect(),
    }
}

fn snapshot_content<'f>(
    capture: &'f Capture,
    table: &'f KindTable,
    references: u64,
    rows: Vec<Row>,
) -> SnapshotContent<'f> {
    SnapshotContent {
        leakhunt: &capture.leakhunt,
        pid: capture.pid,
        command: &capture.command,
        python: &capture.python,
        free_threaded: capture.free_threaded,
        time: i64::try_from(capture.taken_at_us).ok().and_then(rfc3339),
        pause_ms: capture.pause_us as f64 / 1000.0,
        walk_ms: capture.walk_us as f64 / 1000.0,
        rss_bytes: Some(capture.rss_bytes).filter(|&bytes| bytes > 0),
        names: &capture.names,
        during_collection: capture.is_during_collection,
        skipped_type: Some(capture.skipped_type.as_str()).filter(|name| !name.is_empty()),
        full_collections: capture.n_full_collections,
        dangling_references: capture.n_dangling,
        violations: capture.n_violations,
        references,
        objects: table.n_objects,
        bytes: table.size_bytes,
        by: &table.kind_header,
        rows,
    }
}
