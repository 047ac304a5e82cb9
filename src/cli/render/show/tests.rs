use leakhunt_heap::{KindRow, KindTableFormat, SnapshotBuilder};

use super::*;
use crate::difference::{Side, by_type, counted};

fn table(time_made: f64, rows: &[(&str, i64, i64)]) -> KindTable {
    KindTable {
        time_made,
        n_objects: rows.iter().map(|row| row.1).sum(),
        size_bytes: rows.iter().map(|row| row.2).sum(),
        kind_name: String::new(),
        kind_header: "Type".into(),
        format: KindTableFormat::Set,
        rows: rows
            .iter()
            .map(|&(kind, n_objects, size_bytes)| KindRow {
                kind: kind.into(),
                n_objects,
                size_bytes,
            })
            .collect(),
    }
}

fn shown(shown: &Shown<'_>, json: bool) -> String {
    let view = ShowView {
        name: "f",
        json,
        rows: RowView::default(),
    };
    String::from_utf8(view.show(shown)).unwrap()
}

#[test]
fn one_table_is_what_guppy_prints_and_several_have_numbers() {
    let (one, other) = (table(0.0, &[("str", 3, 168)]), table(86_400.5, &[]));
    let printed = "\
Partition of a set of 3 objects. Total size = 168 bytes.
 Index  Count   %     Size   % Cumulative  % Type
     0      3 100      168 100       168 100 str
";
    let alone = Shown::Tables {
        tables: vec![(1, &one)],
        n_tables: 1,
    };
    assert_eq!(shown(&alone, false), printed);
    let both = Shown::Tables {
        tables: vec![(1, &one), (2, &other)],
        n_tables: 2,
    };
    assert_eq!(
        shown(&both, false),
        format!(
            "table 1 of 2, 1970-01-01 00:00:00 UTC\n{printed}\n\
             table 2 of 2, 1970-01-02 00:00:00 UTC\n\
             Partition of a set of 0 objects. Total size = 0 bytes.\n"
        )
    );
    assert_eq!(
        shown(&alone, true),
        concat!(
            r#"{"schema":"leakhunt.show/1","sort":"hpy","file":"f","n_tables":1,"tables":["#,
            r#"{"number":1,"format":"SetFormat","time_made":0.0,"objects":3,"bytes":168,"#,
            r#""kind_name":"","kind_header":"Type","subtrahend":null,"#,
            r#""rows":[{"name":"str","objects":3,"bytes":168}]}]}"#,
            "\n"
        )
    );
}

fn snapshot() -> Snapshot {
    let mut builder = SnapshotBuilder::new();
    let row = builder.tracked("shop.Row");
    builder.size(row, 900);
    for _ in 0..3 {
        let text = builder.object("str");
        builder.size(text, 33);
    }
    builder.flags("shop.Row", leakhunt_wire::TypeFlags::ESTIMATE);
    let mut snapshot = builder.finish();
    let capture = &mut snapshot.capture;
    capture.pid = 4121;
    capture.python = "3.13.2".into();
    capture.command = "python app.py".into();
    capture.taken_at_us = 1_770_091_506_000_000;
    capture.pause_us = 2_100;
    capture.walk_us = 41_000;
    capture.names = "small".into();
    snapshot
}

fn shown_snapshot(snapshot: &Snapshot, json: bool) -> String {
    let (table, rows) = counted(snapshot, &by_type());
    let shown_snapshot = Shown::Snapshot {
        snapshot,
        table: &table,
        rows: &rows,
    };
    shown(&shown_snapshot, json)
}

#[test]
fn a_snapshot_is_a_table_by_type_and_what_may_be_missing() {
    let mut snapshot = snapshot();
    assert_eq!(
        shown_snapshot(&snapshot, false),
        "\
snapshot of process 4121, CPython 3.13.2, 2026-02-03 04:05:06 UTC
python app.py
type      count  share   bytes   share
shop.Row      1   25 %  ~900 B  90.1 %
str           3   75 %    99 B   9.9 %
objects 4  bytes 999 B  references 0  pause 2.1 ms  walk 41 ms
self-check passed: no object has more referrers than its count
~ an estimate: basic size and items, the layout of the type is not known
"
    );
    snapshot.capture.n_violations = 2;
    snapshot.capture.n_dangling = 1;
    snapshot.capture.is_during_collection = true;
    snapshot.capture.skipped_type = "a\nb".into();
    snapshot.capture.names = "hidden".into();
    let text = shown_snapshot(&snapshot, false);
    for told in [
        "self-check failed: 2 objects with more referrers",
        "1 reference left out",
        "a collection was under way",
        "a walk failed at type a\\nb:",
        "keys of dicts were not taken",
    ] {
        assert!(text.contains(told), "{told} is not in {text}");
    }
}

#[test]
fn json_of_a_snapshot_has_its_facts_and_all_rows() {
    let json: serde_json::Value = serde_json::from_str(&shown_snapshot(&snapshot(), true)).unwrap();
    for (field, value) in [
        ("schema", "leakhunt.show/1"),
        ("sort", "snapshot"),
        ("time", "2026-02-03T04:05:06.000Z"),
        ("by", "Type"),
    ] {
        assert_eq!(json[field], value);
    }
    assert_eq!((&json["objects"], &json["bytes"]), (&4.into(), &999.into()));
    let rows = serde_json::json!([
        {"name": "shop.Row", "objects": 1, "bytes": 900, "estimate": true},
        {"name": "str", "objects": 3, "bytes": 99},
    ]);
    assert_eq!(json["rows"], rows);
    assert_eq!(json["rss_bytes"], serde_json::Value::Null);
}

#[test]
fn a_growth_log_is_told_from_its_first_look_to_its_last() {
    let side = |after_s: i64, rows: &[(&str, i64, i64)]| {
        let table = table(0.0, rows);
        Side {
            name: "f".into(),
            time_us: after_s * 1_000_000,
            pid: Some(7),
            python: "3.12.1".into(),
            rows: table.rows.iter().map(Row::from).collect(),
            table,
            ..Side::default()
        }
    };
    let (first, last) = (side(0, &[("str", 3, 99)]), side(60, &[("str", 5, 165)]));
    let difference = Difference::new("growth", first, last, &[]).unwrap();
    let growth = Shown::Growth {
        difference: &difference,
        n_looks: 3,
    };
    assert_eq!(
        shown(&growth, false),
        "\
growth log of 3 looks
process 7, CPython 3.12.1: f (1970-01-01 00:00:00 UTC) to the last look (1 m later)
type  before  after  delta  bytes  bytes delta
str        3      5     +2  165 B        +66 B
objects 5 (+2)  bytes 165 B (+66 B)
"
    );
    let json: serde_json::Value = serde_json::from_str(&shown(&growth, true)).unwrap();
    assert_eq!(
        (&json["sort"], &json["looks"]),
        (&"growth".into(), &3.into())
    );
    assert_eq!(json["after"]["pid"], 7);
    assert_eq!(json["rows"][0]["objects_delta"], 2);
}

#[test]
fn nothing_is_cut_where_there_is_no_terminal() {
    let name = format!("{}.Row", "package.".repeat(50));
    let mut builder = SnapshotBuilder::new();
    builder.object(&name);
    let mut snapshot = builder.finish();
    snapshot.capture.command = "python app.py ".repeat(40).trim_end().into();
    let (table, rows) = counted(&snapshot, &by_type());
    let text = shown(
        &Shown::Snapshot {
            snapshot: &snapshot,
            table: &table,
            rows: &rows,
        },
        false,
    );
    assert!(text.contains(&name), "{text}");
    assert!(text.contains(&snapshot.capture.command), "{text}");
}
