//! Two files side by side.

use anyhow::bail;
use leakhunt_heap::classify::{By, Relation, Scope, kind_table};
use leakhunt_heap::gate::{DiffTable, Exceeded, GateReport, Limit, Row, check, types_of};
use leakhunt_heap::{
    GrowthRecord, Identity, KindRow, KindTable, KindTableFormat, Snapshot, identify,
};

/// What grew from one look to another, and what the limits say of it.
#[derive(Debug)]
pub(crate) struct Difference {
    /// `hpy`, `snapshot` or `growth`.
    pub(crate) sort: &'static str,
    pub(crate) before: Side,
    pub(crate) after: Side,
    /// All rows, also those without a change.
    pub(crate) table: DiffTable,
    /// Which objects of the second look were there at the first; `None` where that cannot be told.
    pub(crate) identity: Option<IdentityCounts>,
    /// The limits as they were written.
    pub(crate) limits: Vec<String>,
    pub(crate) gate: GateReport,
}

/// One look of two.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Side {
    /// The file.
    pub(crate) name: String,
    /// Which of its looks, counted from 1, and how many it has.
    pub(crate) place: Option<(u64, u64)>,
    /// When it was taken, in microseconds since 1970.
    pub(crate) time_us: i64,
    /// The process; `None` where the file does not tell.
    pub(crate) pid: Option<u32>,
    /// The first word of `sys.version`; empty where the file does not tell.
    pub(crate) python: String,
    /// What there was, as guppy has it.
    pub(crate) table: KindTable,
    /// The same as rows.
    pub(crate) rows: Vec<Row>,
}

/// How many objects of the second look were there at the first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct IdentityCounts {
    pub(crate) n_survivors: u64,
    pub(crate) n_probable: u64,
    pub(crate) n_new: u64,
    /// Whether there is no order of birth, so that tracked objects cannot be known to be survivors.
    pub(crate) free_threaded: bool,
}

impl Difference {
    /// Puts two looks of one sort side by side.
    ///
    /// # Errors
    /// When their kinds are not of one sort.
    pub(crate) fn new(
        sort: &'static str,
        before: Side,
        after: Side,
        limits: &[Limit],
    ) -> anyhow::Result<Self> {
        let (of_before, of_after) = (&before.table.kind_header, &after.table.kind_header);
        if of_before != of_after {
            bail!(
                "{} counts by `{of_before}` and {} by `{of_after}`; compare what was written with the \
                 same --by",
                before.name,
                after.name
            );
        }
        let table = DiffTable::of(&before.rows, &after.rows);
        Ok(Self {
            sort,
            gate: check(limits, &table),
            limits: limits.iter().map(ToString::to_string).collect(),
            before,
            after,
            table,
            identity: None,
        })
    }

    /// What the earlier look has more than the later, kind by kind, as guppy subtracts.
    pub(crate) fn as_guppy(&self) -> KindTable {
        self.before
            .table
            .difference(&self.after.table, self.after.table.time_made)
            .unwrap_or_default()
    }

    /// Whether a row is over a limit.
    pub(crate) fn is_over_limit(&self, name: &str) -> bool {
        let over = |exceeded: &Exceeded| exceeded.row.name == name;
        self.gate.exceeded.iter().any(over)
    }
}

impl Side {
    /// A table of an `.hpy` file.
    pub(crate) fn of_table(name: &str, table: &KindTable, place: (u64, u64)) -> Self {
        Self {
            name: name.to_owned(),
            place: (place.1 > 1).then_some(place),
            time_us: (table.time_made * 1e6) as i64,
            rows: table.rows.iter().map(Row::from).collect(),
            table: table.clone(),
            ..Self::default()
        }
    }

    /// A look of a growth log.
    pub(crate) fn of_look(name: &str, record: &GrowthRecord) -> Self {
        let rows: Vec<Row> = record.to_look().types.iter().map(Row::from).collect();
        Self {
            name: name.to_owned(),
            place: None,
            time_us: record.time_us(),
            pid: Some(record.pid),
            python: record.python.clone(),
            table: types_table(&rows, record.time_us()),
            rows,
        }
    }

    /// A snapshot's objects.
    pub(crate) fn of_snapshot(name: &str, snapshot: &Snapshot, by: &By) -> Self {
        let capture = &snapshot.capture;
        let time_us = i64::try_from(capture.taken_at_us).unwrap_or(i64::MAX);
        let (table, rows) = counted(snapshot, by);
        Self {
            name: name.to_owned(),
            place: None,
            time_us,
            pid: Some(capture.pid),
            python: capture.python.clone(),
            table,
            rows,
        }
    }
}

/// The types of objects, as leakhunt names them.
pub(crate) fn by_type() -> By {
    By::All(vec![Relation::Type])
}

/// All objects of a snapshot, counted.
pub(crate) fn counted(snapshot: &Snapshot, by: &By) -> (KindTable, Vec<Row>) {
    let time_us = i64::try_from(snapshot.capture.taken_at_us).unwrap_or(i64::MAX);
    if *by == by_type() {
        let rows = types_of(snapshot, &|_| true);
        return (types_table(&rows, time_us), rows);
    }
    let all = Scope {
        is_counted: &|_| true,
        is_seen: &|_| true,
        virtual_dicts: false,
        time_made: time_us as f64 / 1e6,
    };
    let table = kind_table(snapshot, by, all);
    let rows = table.rows.iter().map(Row::from).collect();
    (table, rows)
}

/// The title that guppy gives the kinds.
pub(crate) fn kind_header(by: &By) -> String {
    counted(&Snapshot::default(), by).0.kind_header
}

fn types_table(rows: &[Row], time_us: i64) -> KindTable {
    let sum = |of: fn(&Row) -> i64| rows.iter().map(of).fold(0, i64::saturating_add);
    KindTable {
        time_made: time_us as f64 / 1e6,
        n_objects: sum(|row| row.n_objects),
        size_bytes: sum(|row| row.size_bytes),
        kind_name: String::new(),
        kind_header: "Type".to_owned(),
        format: KindTableFormat::Set,
        rows: rows
            .iter()
            .map(|row| KindRow {
                kind: row.name.clone(),
                n_objects: row.n_objects,
                size_bytes: row.size_bytes,
            })
            .collect(),
    }
}

/// Which objects of `after` were there at `before`; `None` where the two are not of one process.
pub(crate) fn identity_counts(before: &Snapshot, after: &Snapshot) -> Option<IdentityCounts> {
    let (one, other) = (&before.capture, &after.capture);
    let is_one_process = one.pid == other.pid && one.python == other.python && one.pid != 0;
    if !is_one_process || one.taken_at_us > other.taken_at_us {
        return None;
    }
    let mut counts = IdentityCounts {
        free_threaded: other.free_threaded,
        ..IdentityCounts::default()
    };
    let objects = after
        .ids()
        .filter(|&object| !after.type_of(object).is_frame());
    let identities = identify(before, after);
    for object in objects {
        match identities.get(object.0 as usize) {
            Some(Identity::Survivor) => counts.n_survivors += 1,
            Some(Identity::Probable) => counts.n_probable += 1,
            Some(Identity::New) | None => counts.n_new += 1,
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use leakhunt_heap::SnapshotBuilder;

    use super::*;

    /// Two rows, and after them as many more as are asked for.
    fn snapshot(pid: u32, taken_at_us: u64, n_more: u32) -> Snapshot {
        let mut builder = SnapshotBuilder::new();
        for _ in 0..2 + n_more {
            builder.tracked("shop.Row");
        }
        let mut snapshot = builder.finish();
        snapshot.capture.pid = pid;
        snapshot.capture.python = "3.12.1".into();
        snapshot.capture.taken_at_us = taken_at_us;
        snapshot
    }

    #[test]
    fn objects_of_one_process_are_told_apart() {
        let (before, after) = (snapshot(7, 1, 0), snapshot(7, 2, 3));
        let counts = identity_counts(&before, &after).unwrap();
        assert_eq!((counts.n_survivors, counts.n_new), (2, 3));
        assert!(!counts.free_threaded);
    }

    #[test]
    fn objects_of_two_processes_are_not_compared() {
        let before = snapshot(7, 1, 0);
        assert!(identity_counts(&before, &snapshot(8, 2, 3)).is_none());
        assert!(identity_counts(&snapshot(7, 3, 0), &snapshot(7, 2, 3)).is_none());
        let mut other_python = snapshot(7, 2, 3);
        other_python.capture.python = "3.13.0".into();
        assert!(identity_counts(&before, &other_python).is_none());
    }

    #[test]
    fn types_have_the_names_of_leakhunt_and_other_kinds_those_of_guppy() {
        let snapshot = snapshot(7, 1, 0);
        let (table, rows) = counted(&snapshot, &by_type());
        assert_eq!((rows[0].name.as_str(), rows[0].n_objects), ("shop.Row", 2));
        assert_eq!(table.rows[0].kind, "shop.Row");
        let by = |text: &str| text.parse::<By>().unwrap();
        assert_eq!(counted(&snapshot, &by("unity")).1[0].n_objects, 2);
        assert_eq!(kind_header(&by("type")), "Type");
        assert_eq!(kind_header(&by("clodo")), "Kind (class / dict of class)");
    }

    #[test]
    fn looks_of_other_kinds_are_no_difference() {
        let snapshot = snapshot(7, 1, 0);
        let side = |by: &str| Side::of_snapshot("f", &snapshot, &by.parse().unwrap());
        let error = Difference::new("snapshot", side("type"), side("size"), &[]).unwrap_err();
        assert!(error.to_string().contains("the same --by"), "{error}");
    }
}
