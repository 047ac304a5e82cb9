//! A difference as a document of JSON.

use leakhunt_heap::gate::{DiffRow, Exceeded};
use serde::Serialize;

use super::shown_rows;
use crate::difference::{Difference, Side};
use crate::render::rows::{RowView, rfc3339};

/// The name and version of the schema.
const DIFF_SCHEMA: &str = "leakhunt.diff/1";

#[derive(Serialize)]
struct Document<'d> {
    schema: &'static str,
    sort: &'static str,
    by: &'d str,
    #[serde(flatten)]
    changes: Changes<'d>,
    identity: Option<Identity>,
    limits: Vec<Limit<'d>>,
    exceeded: Vec<Over<'d>>,
    /// `null` where there is no limit.
    passed: Option<bool>,
}

/// Two looks and what changed between them.
#[derive(Serialize)]
pub(crate) struct Changes<'d> {
    before: Look<'d>,
    after: Look<'d>,
    total: Change<'d>,
    rows: Vec<Change<'d>>,
}

#[derive(Serialize)]
struct Look<'d> {
    file: &'d str,
    table: Option<u64>,
    n_tables: u64,
    time: Option<String>,
    pid: Option<u32>,
    python: Option<&'d str>,
}

#[derive(Serialize)]
struct Change<'d> {
    name: &'d str,
    objects_before: i64,
    objects_after: i64,
    objects_delta: i64,
    bytes_before: i64,
    bytes_after: i64,
    bytes_delta: i64,
    estimate: bool,
}

#[derive(Serialize)]
struct Identity {
    survivors: u64,
    probable: u64,
    new: u64,
    free_threaded: bool,
}

#[derive(Serialize)]
struct Limit<'d> {
    limit: &'d str,
    exceeded: bool,
    names_nothing: bool,
}

#[derive(Serialize)]
struct Over<'d> {
    limit: &'d str,
    name: &'d str,
    unit: &'static str,
    growth: i64,
    allowed: i64,
    over: i64,
}

/// One line.
pub(super) fn document(difference: &Difference, view: &RowView) -> Vec<u8> {
    let gate = &difference.gate;
    let limits = difference.limits.iter().map(|limit| Limit {
        limit,
        exceeded: gate.exceeded.iter().any(|over| over.limit == *limit),
        names_nothing: gate.names_nothing.contains(limit),
    });
    let document = Document {
        schema: DIFF_SCHEMA,
        sort: difference.sort,
        by: &difference.before.table.kind_header,
        changes: changes(difference, view),
        identity: difference.identity.map(|counts| Identity {
            survivors: counts.n_survivors,
            probable: counts.n_probable,
            new: counts.n_new,
            free_threaded: counts.free_threaded,
        }),
        limits: limits.collect(),
        exceeded: gate.exceeded.iter().map(over).collect(),
        passed: (!difference.limits.is_empty()).then_some(gate.exceeded.is_empty()),
    };
    let mut line = serde_json::to_vec(&document).unwrap_or_default();
    line.push(b'\n');
    line
}

/// All rows that are to be shown, also those without a change.
pub(crate) fn changes<'d>(difference: &'d Difference, view: &RowView) -> Changes<'d> {
    let rows = shown_rows(difference, view, false);
    Changes {
        before: look(&difference.before),
        after: look(&difference.after),
        total: change(&difference.table.total),
        rows: rows.into_iter().map(change).collect(),
    }
}

fn look(side: &Side) -> Look<'_> {
    Look {
        file: &side.name,
        table: side.place.map(|(number, _)| number),
        n_tables: side.place.map_or(1, |(_, n_tables)| n_tables),
        time: rfc3339(side.time_us),
        pid: side.pid,
        python: Some(side.python.as_str()).filter(|python| !python.is_empty()),
    }
}

fn change(row: &DiffRow) -> Change<'_> {
    Change {
        name: &row.name,
        objects_before: row.n_before,
        objects_after: row.n_after,
        objects_delta: row.objects_delta(),
        bytes_before: row.bytes_before,
        bytes_after: row.bytes_after,
        bytes_delta: row.bytes_delta(),
        estimate: row.is_estimate,
    }
}

fn over(exceeded: &Exceeded) -> Over<'_> {
    Over {
        limit: &exceeded.limit,
        name: &exceeded.row.name,
        unit: if exceeded.is_bytes {
            "bytes"
        } else {
            "objects"
        },
        growth: exceeded.growth,
        allowed: exceeded.allowed,
        over: exceeded.growth.saturating_sub(exceeded.allowed),
    }
}
