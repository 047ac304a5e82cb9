use leakhunt_heap::gate::{DiffTable, Row, check};
use leakhunt_heap::{KindRow, KindTable};

use super::*;
use crate::difference::{IdentityCounts, Side};

const TIME_US: i64 = 1_770_091_506_000_000;

fn side(name: &str, after_s: i64, rows: &[(&str, i64, i64)]) -> Side {
    let table = KindTable {
        time_made: 1.0,
        n_objects: rows.iter().map(|row| row.1).sum(),
        size_bytes: rows.iter().map(|row| row.2).sum(),
        kind_header: "Type".into(),
        rows: rows
            .iter()
            .map(|&(kind, n_objects, size_bytes)| KindRow {
                kind: kind.into(),
                n_objects,
                size_bytes,
            })
            .collect(),
        ..KindTable::default()
    };
    Side {
        name: name.into(),
        time_us: TIME_US + after_s * 1_000_000,
        rows: table.rows.iter().map(Row::from).collect(),
        table,
        ..Side::default()
    }
}

fn difference(limits: &[&str]) -> Difference {
    let limits: Vec<_> = limits.iter().map(|limit| limit.parse().unwrap()).collect();
    let before = side(
        "before.hpy",
        0,
        &[
            ("shop.Template", 100, 5_600),
            ("dict", 40, 9_000),
            ("a|b`c", 3, 300),
            ("str", 7, 700),
        ],
    );
    let after = side(
        "after.hpy",
        312,
        &[
            ("shop.Template", 255, 14_280),
            ("dict", 39, 8_800),
            ("a|b`c", 4, 400),
            ("str", 7, 700),
        ],
    );
    Difference::new("hpy", before, after, &limits).unwrap()
}

fn shown(format: DiffFormat, difference: &Difference) -> String {
    let rows = RowView::default();
    String::from_utf8(DiffView { format, rows }.show(difference)).unwrap()
}

#[test]
fn the_table_tells_what_changed_and_marks_what_is_over() {
    let mut difference = difference(&["shop.*:+100", "dict:+0"]);
    difference.table.rows[0].is_estimate = true;
    difference.identity = Some(IdentityCounts {
        n_survivors: 1_000,
        n_probable: 20,
        n_new: 3,
        free_threaded: false,
    });
    assert_eq!(
        shown(DiffFormat::Table, &difference),
        "\
before.hpy (2026-02-03 04:05:06 UTC) to after.hpy (5 m 12 s later)
type             before  after  delta     bytes  bytes delta
shop.Template !     100    255   +155  ~14.3 kB      +8.7 kB
dict                 40     39     -1    8.8 kB       -200 B
a|b`c                 3      4     +1     400 B       +100 B
1 type did not change
! over a limit
~ an estimate: basic size and items, the layout of the type is not known
objects 305 (+155)  bytes 24.2 kB (+8.6 kB)
of the objects after: 1,000 were there before, 20 probably, 3 are new
"
    );
}

#[test]
fn without_an_order_of_birth_that_is_told() {
    let mut difference = difference(&[]);
    difference.identity = Some(IdentityCounts {
        free_threaded: true,
        ..IdentityCounts::default()
    });
    let text = shown(DiffFormat::Table, &difference);
    assert!(text.contains("without the GIL"), "{text}");
}

#[test]
fn two_of_one_kind_are_no_difference() {
    let same = side("f", 0, &[("str", 1, 50)]);
    let difference = Difference::new("hpy", same.clone(), same, &[]).unwrap();
    assert_eq!(
        shown(DiffFormat::Table, &difference),
        "f (2026-02-03 04:05:06 UTC) to itself (of the same moment)\n\
         nothing grew or shrank\nobjects 1  bytes 50 B\n"
    );
}

#[test]
fn guppy_subtracts_the_second_from_the_first() {
    assert_eq!(
        shown(DiffFormat::Guppy, &difference(&[])),
        "\
Summary of difference operation (A-B).
        Count     Size
  A       150    15600
  B       305    24180
  A-B    -155    -8580  =     -35.5 % of B

Differences by kind, largest absolute size diffs first.
 Index  Count     Size  Cumulative  % of B Type
     0   -155    -8680     -8680     -35.9 shop.Template
     1      1      200     -8480     -35.1 dict
     2     -1     -100     -8580     -35.5 a|b`c
"
    );
}

#[test]
fn markdown_has_a_verdict_and_a_table() {
    let difference = difference(&["shop.*:+100", "no_such:+1", "total:+100%"]);
    assert_eq!(
        shown(DiffFormat::Markdown, &difference),
        "\
**leakhunt: over 1 of 3 limits** — objects 305 (+155)  bytes 24.2 kB (+8.6 kB)

- shop.Template grew by 155 objects (100 to 255), 55 more than shop.\\*:+100 allows
- `no_such:+1` names nothing in either file

| type | before | after | delta | bytes | bytes delta |
|:--|--:|--:|--:|--:|--:|
| **`shop.Template`** | 100 | 255 | +155 | 14.3 kB | +8.7 kB |
| `dict` | 40 | 39 | -1 | 8.8 kB | -200 B |
| ``a\\|b`c`` | 3 | 4 | +1 | 400 B | +100 B |
"
    );
}

#[test]
fn annotations_are_lines_that_names_cannot_break() {
    let before = side("a", 0, &[]);
    let after = side("b", 1, &[("100%\n::error::x", 5, 50)]);
    let limits = ["*:+1".parse().unwrap(), "a,b:+1".parse().unwrap()];
    let difference = Difference::new("hpy", before, after, &limits).unwrap();
    assert_eq!(
        shown(DiffFormat::Github, &difference),
        "\
::error title=leakhunt%3A over the limit *%3A+1::100%25\\n::error::x grew by 5 objects (0 to 5), 4 more than *:+1 allows
::warning title=leakhunt::--fail-on a,b:+1 names nothing in either file
::notice title=leakhunt%3A over 1 of 2 limits::objects 5 (+5)  bytes 50 B (+50 B)
"
    );
}

#[test]
fn no_more_annotations_than_github_shows() {
    let names: Vec<String> = (0..25).map(|n| format!("type{n:02}")).collect();
    let rows: Vec<_> = names.iter().map(|name| (name.as_str(), 5, 50)).collect();
    let limits = ["type*:+1".parse().unwrap()];
    let difference = Difference::new("hpy", side("a", 0, &[]), side("b", 1, &rows), &limits);
    let text = shown(DiffFormat::Github, &difference.unwrap());
    let errors: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("::error"))
        .collect();
    assert_eq!(errors.len(), 10);
    assert_eq!(
        errors[9],
        "::error title=leakhunt::16 more are over a limit"
    );
}

#[test]
fn json_is_the_documented_schema() {
    let difference = difference(&["shop.*:+100", "no_such:+1"]);
    let json: serde_json::Value =
        serde_json::from_str(&shown(DiffFormat::Json, &difference)).unwrap();
    assert_eq!(json["schema"], "leakhunt.diff/1");
    assert_eq!(json["sort"], "hpy");
    assert_eq!(json["before"]["time"], "2026-02-03T04:05:06.000Z");
    assert_eq!(json["passed"], false);
    assert_eq!(json["limits"][1]["names_nothing"], true);
    let over = serde_json::json!({
        "limit": "shop.*:+100", "name": "shop.Template", "unit": "objects",
        "growth": 155, "allowed": 100, "over": 55,
    });
    assert_eq!(json["exceeded"], serde_json::json!([over]));
    let row = serde_json::json!({
        "name": "str", "objects_before": 7, "objects_after": 7, "objects_delta": 0,
        "bytes_before": 700, "bytes_after": 700, "bytes_delta": 0, "estimate": false,
    });
    assert_eq!(json["rows"][3], row, "also what did not change");
    assert_eq!(json["total"]["bytes_delta"], 8_580);
    assert_eq!(json["identity"], serde_json::Value::Null);
}

#[test]
fn sentences_tell_bytes_and_the_total() {
    let of = |limit: &str| sentence(&difference(&[limit]).gate.exceeded[0]);
    assert_eq!(
        of("total:+5%"),
        "all together grew by 8.6 kB (15.6 kB to 24.2 kB), 7.8 kB more than total:+5% allows"
    );
    assert_eq!(
        of("shop.Template:+8679B"),
        "shop.Template grew by 8.7 kB (5.6 kB to 14.3 kB), 1 B more than shop.Template:+8679B allows"
    );
}

#[test]
fn the_verdict_counts_limits_and_not_rows() {
    let of = |limits: &[&str]| verdict(&difference(limits));
    assert_eq!(of(&[]), None);
    assert_eq!(of(&["dict:+0"]).unwrap(), "within the limit");
    assert_eq!(of(&["dict:+0", "str:+0"]).unwrap(), "within all 2 limits");
    assert_eq!(of(&["*:+0"]).unwrap(), "over 1 limit");
    assert_eq!(of(&["*:+0", "str:+0"]).unwrap(), "over 1 of 2 limits");
}

#[test]
fn a_type_named_total_is_told_by_its_name() {
    let limits = ["tota?:+1".parse().unwrap()];
    let table = DiffTable::of(&[], &side("b", 0, &[("total", 5, 50)]).rows);
    let report = check(&limits, &table);
    assert!(sentence(&report.exceeded[0]).starts_with("total grew by 5 objects"));
}
