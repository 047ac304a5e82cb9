//! What changed between two looks by type, and whether it is more than what a build allows.

mod limit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use limit::glob_matches;
pub use limit::{Limit, LimitError};

use crate::kinds::KindRow;
use crate::look::TypeCount;
use crate::snapshot::{ObjId, Snapshot};

/// What there is of a type, or of a kind, at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Objects.
    pub n_objects: i64,
    /// Their bytes.
    pub size_bytes: i64,
    /// Whether some of the bytes are an estimate.
    pub is_estimate: bool,
}

/// Two looks side by side.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DiffTable {
    /// Each name of either look once, by |change of bytes| descending, then by name.
    pub rows: Vec<DiffRow>,
    /// The sum of all rows. Its name is `total`.
    pub total: DiffRow,
}

/// A name in two looks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DiffRow {
    /// The name.
    pub name: String,
    /// Objects in the first look; 0 where the name is not in it.
    pub n_before: i64,
    /// Objects in the second look.
    pub n_after: i64,
    /// Bytes in the first look.
    pub bytes_before: i64,
    /// Bytes in the second look.
    pub bytes_after: i64,
    /// Whether some of the bytes, before or after, are an estimate.
    pub is_estimate: bool,
}

/// What the limits say of a difference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GateReport {
    /// Growth over a limit, in the order of the limits, then of [`DiffTable::rows`]. A build fails
    /// when there is any.
    pub exceeded: Vec<Exceeded>,
    /// The limits that name nothing in either look, as they were written: a class may have been
    /// renamed, or the limit misspelled. They do not fail a build.
    pub names_nothing: Vec<String>,
}

/// Growth over a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Exceeded {
    /// The limit as it was written.
    pub limit: String,
    /// What grew.
    pub row: DiffRow,
    /// Whether the limit is one of bytes. Else it is one of objects.
    pub is_bytes: bool,
    /// By how much it grew, in objects or bytes.
    pub growth: i64,
    /// By how much it may grow, in objects or bytes. What a percentage comes to is cut to a whole
    /// number.
    pub allowed: i64,
}

impl From<&KindRow> for Row {
    fn from(row: &KindRow) -> Self {
        Self {
            name: row.kind.clone(),
            n_objects: row.n_objects,
            size_bytes: row.size_bytes,
            is_estimate: false,
        }
    }
}

impl From<&TypeCount> for Row {
    fn from(of: &TypeCount) -> Self {
        let cut = |number| i64::try_from(number).unwrap_or(i64::MAX);
        Self {
            name: of.type_key.clone(),
            n_objects: cut(of.n_objects),
            size_bytes: cut(of.size_bytes),
            is_estimate: of.is_estimate,
        }
    }
}

/// A row for each type of a snapshot, of the objects that are counted. Running frames are not.
pub fn types_of(snapshot: &Snapshot, is_counted: &dyn Fn(ObjId) -> bool) -> Vec<Row> {
    let types = snapshot.types.iter();
    let mut rows: Vec<Row> = types
        .map(|of| Row {
            name: of.key(),
            is_estimate: of.is_estimate(),
            ..Row::default()
        })
        .collect();
    for object in snapshot.ids().filter(|&object| is_counted(object)) {
        let index = object.0 as usize;
        let row = &mut rows[snapshot.objects.type_id[index].0 as usize];
        row.n_objects += 1;
        let size_bytes = i64::try_from(snapshot.objects.size_bytes[index]).unwrap_or(i64::MAX);
        row.size_bytes = row.size_bytes.saturating_add(size_bytes);
    }
    let types = snapshot.types.iter().zip(rows);
    types
        .filter(|(of, row)| row.n_objects > 0 && !of.is_frame())
        .map(|(_, row)| row)
        .collect()
}

impl DiffRow {
    /// Change of the number of objects.
    pub fn objects_delta(&self) -> i64 {
        self.n_after.saturating_sub(self.n_before)
    }

    /// Change of the bytes.
    pub fn bytes_delta(&self) -> i64 {
        self.bytes_after.saturating_sub(self.bytes_before)
    }
}

impl DiffTable {
    /// Puts two looks side by side. Rows of one name are added up.
    pub fn of(before: &[Row], after: &[Row]) -> Self {
        let mut by_name = BTreeMap::<&str, DiffRow>::new();
        let mut total = DiffRow {
            name: limit::TOTAL.to_owned(),
            ..DiffRow::default()
        };
        for (rows, is_after) in [(before, false), (after, true)] {
            for row in rows {
                by_name
                    .entry(row.name.as_str())
                    .or_insert_with(|| DiffRow {
                        name: row.name.clone(),
                        ..DiffRow::default()
                    })
                    .add(row, is_after);
                total.add(row, is_after);
            }
        }
        let mut rows: Vec<DiffRow> = by_name.into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.bytes_delta().unsigned_abs()));
        Self { rows, total }
    }
}

impl DiffRow {
    fn add(&mut self, row: &Row, is_after: bool) {
        let (n_objects, size_bytes) = if is_after {
            (&mut self.n_after, &mut self.bytes_after)
        } else {
            (&mut self.n_before, &mut self.bytes_before)
        };
        *n_objects = n_objects.saturating_add(row.n_objects);
        *size_bytes = size_bytes.saturating_add(row.size_bytes);
        self.is_estimate |= row.is_estimate;
    }
}

/// Holds a difference against limits. Each name that a glob matches is held against the limit by
/// itself: `shop.*:+10` lets each class of the package grow by ten.
pub fn check(limits: &[Limit], diff: &DiffTable) -> GateReport {
    let mut report = GateReport::default();
    for limit in limits {
        let mut names_nothing = true;
        let rows = limit.is_total().then_some(&diff.total);
        let matching = diff.rows.iter().filter(|row| limit.matches(&row.name));
        for row in rows.into_iter().chain(matching) {
            names_nothing = false;
            report.exceeded.extend(limit.exceeded_by(row));
        }
        if names_nothing {
            report.names_nothing.push(limit.to_string());
        }
    }
    report
}
