//! A snapshot's objects by kind, as guppy classifies them.

mod by;
mod ids;
mod kinds;
mod names;
mod parts;
mod referrers;
#[cfg(test)]
mod tests;
mod visible;

pub use by::{By, ByError, Relation};
pub use visible::{Visible, visible};

use crate::kinds::{KindRow, KindTable};
use crate::snapshot::{ObjId, Snapshot};
use kinds::Kinds;

/// Which objects are counted, and how.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Whether an object is counted. Running frames never are.
    pub is_counted: &'a dyn Fn(ObjId) -> bool,
    /// Whether an object is seen as a referrer of others: guppy sees what is reachable, also what was
    /// there before the time that is looked at.
    pub is_seen: &'a dyn Fn(ObjId) -> bool,
    /// Whether the `__dict__` that an instance would make if it were asked for (Python 3.11 on) counts
    /// as an object. guppy asks each instance, and so makes it: it counts all of them.
    pub virtual_dicts: bool,
    /// When the table is made, in seconds since 1970.
    pub time_made: f64,
}

/// The objects of a snapshot by kind: rows by bytes descending, then by name, as in guppy.
///
/// Kinds that are types or sets of types are told apart by the types, not by their names: two classes
/// of one name are two rows of one name.
///
/// Memory: 4 bytes an object, 12 with [`Relation::Rcs`], a row for each with [`By::Id`].
///
/// Known to differ from guppy: it sees the running frames of its own thread only, and counts them;
/// `id` shows addresses where guppy shows values. Where virtual dicts count on Python 3.11 or 3.12, slots of classes that have a `__dict__` as
/// well count as held by it.
pub fn kind_table(snapshot: &Snapshot, by: &By, scope: Scope<'_>) -> KindTable {
    let kinds = Kinds::of(snapshot, scope.virtual_dicts);
    let table = match by {
        By::Id => ids::table(snapshot, &kinds, scope),
        By::All(relations) => parts::table(snapshot, &kinds, relations, scope),
    };
    KindTable {
        time_made: scope.time_made,
        n_objects: total(&table.rows, |row| row.n_objects),
        size_bytes: total(&table.rows, |row| row.size_bytes),
        ..table
    }
}

fn total(rows: &[KindRow], of: impl Fn(&KindRow) -> i64) -> i64 {
    rows.iter().fold(0, |sum, row| sum.saturating_add(of(row)))
}
