use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::kinds::{KindRow, KindTable, KindTableFormat};

/// What guppy3 3.1.7 on Python 3.11 says of the files in `golden`, which it wrote, but for `odd.hpy`.
#[derive(Deserialize)]
struct Guppy {
    files: BTreeMap<String, Vec<Told>>,
    differences: Vec<Difference>,
}

#[derive(Deserialize)]
struct Told {
    format: String,
    count: i64,
    size: i64,
    kindheader: String,
    kindname: String,
    timemade: f64,
    /// Totals of the subtrahend.
    b: (Option<i64>, Option<i64>),
    rows: Vec<(i64, i64, String)>,
    /// `None` where guppy divides by zero.
    text: Option<String>,
    /// `None` where it is the text.
    all: Option<String>,
}

/// One of two tables, each the table of a number of a file.
#[derive(Deserialize)]
struct Difference {
    from: (String, usize),
    minus: (String, usize),
    #[serde(flatten)]
    told: Told,
}

fn guppy() -> Guppy {
    serde_json::from_str(include_str!("golden/guppy.json")).unwrap()
}

fn golden(name: &str) -> &'static [u8] {
    match name {
        "byprod.hpy" => include_bytes!("golden/byprod.hpy"),
        "diff.hpy" => include_bytes!("golden/diff.hpy"),
        "empty.hpy" => include_bytes!("golden/empty.hpy"),
        "id_homogeneous.hpy" => include_bytes!("golden/id_homogeneous.hpy"),
        "newline_in_name_UNREADABLE.hpy" => {
            include_bytes!("golden/newline_in_name_UNREADABLE.hpy")
        }
        "odd.hpy" => include_bytes!("golden/odd.hpy"),
        "relative_byclodo.hpy" => include_bytes!("golden/relative_byclodo.hpy"),
        "relative_byrcs.hpy" => include_bytes!("golden/relative_byrcs.hpy"),
        "same_name_twice.hpy" => include_bytes!("golden/same_name_twice.hpy"),
        "series_huge_kinds.hpy" => include_bytes!("golden/series_huge_kinds.hpy"),
        "small_byclodo.hpy" => include_bytes!("golden/small_byclodo.hpy"),
        "small_bymodule.hpy" => include_bytes!("golden/small_bymodule.hpy"),
        "small_byrcs.hpy" => include_bytes!("golden/small_byrcs.hpy"),
        "small_bysize.hpy" => include_bytes!("golden/small_bysize.hpy"),
        "small_byunity.hpy" => include_bytes!("golden/small_byunity.hpy"),
        other => panic!("no golden file {other}"),
    }
}

impl Told {
    fn check(&self, table: &KindTable, what: &str) {
        let format = match (self.format.as_str(), self.b) {
            ("SetFormat", (None, None)) => KindTableFormat::Set,
            ("IdFormat", (None, None)) => KindTableFormat::Id,
            ("DiffFormat", (Some(n_objects), Some(size_bytes))) => KindTableFormat::Diff {
                n_objects,
                size_bytes,
            },
            other => panic!("{other:?}"),
        };
        assert_eq!(table.format, format, "{what}");
        assert_eq!(table.n_objects, self.count, "{what}");
        assert_eq!(table.size_bytes, self.size, "{what}");
        assert_eq!(table.kind_header, self.kindheader, "{what}");
        assert_eq!(table.kind_name, self.kindname, "{what}");
        let rows: Vec<_> = self.rows.iter().map(row_of).collect();
        assert_eq!(table.rows, rows, "{what}");
        if let Some(expected) = &self.text {
            assert_eq!(&text(table, Some(10)), expected, "{what}");
            let expected = self.all.as_ref().unwrap_or(expected);
            assert_eq!(&text(table, None), expected, "{what}");
        }
    }
}

fn row_of((n_objects, size_bytes, kind): &(i64, i64, String)) -> KindRow {
    KindRow {
        kind: kind.clone(),
        n_objects: *n_objects,
        size_bytes: *size_bytes,
    }
}

fn table(rows: &[(i64, i64, &str)]) -> KindTable {
    let rows: Vec<_> = rows
        .iter()
        .map(|&(n_objects, size_bytes, kind)| row_of(&(n_objects, size_bytes, kind.to_owned())))
        .collect();
    KindTable {
        time_made: 12.5,
        n_objects: rows.iter().map(|row| row.n_objects).sum(),
        size_bytes: rows.iter().map(|row| row.size_bytes).sum(),
        kind_name: String::new(),
        kind_header: "Type".to_owned(),
        format: KindTableFormat::Set,
        rows,
    }
}

fn only(bytes: &[u8]) -> KindTable {
    let mut tables = read(bytes).unwrap();
    assert_eq!(tables.len(), 1);
    tables.remove(0)
}

#[test]
fn files_of_guppy_are_read_and_printed_as_guppy_does() {
    for (name, told) in guppy().files {
        let tables = read(golden(&name)).unwrap();
        assert_eq!(tables.len(), told.len(), "{name}");
        for (table, told) in tables.iter().zip(&told) {
            assert_eq!(table.time_made, told.timemade, "{name}");
            assert!(table.is_whole(), "{name}");
            told.check(table, &name);
        }
    }
}

#[test]
fn differences_are_those_of_guppy() {
    for difference in guppy().differences {
        let (from, minus) = (&difference.from, &difference.minus);
        let table_of = |(name, index): &(String, usize)| read(golden(name)).unwrap().remove(*index);
        let table = table_of(from).difference(&table_of(minus), 5.0).unwrap();
        assert_eq!(table.time_made, 5.0);
        difference
            .told
            .check(&table, &format!("{from:?} - {minus:?}"));
    }
}

#[test]
fn tables_of_different_kinds_have_no_difference() {
    let (of_first, of_second) = (
        only(golden("small_byclodo.hpy")),
        only(golden("small_byrcs.hpy")),
    );
    let error = of_first.difference(&of_second, 0.0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the kinds of the two tables are not of one sort: `Kind (class / dict of class)` and \
         `Referrers by Kind (class / dict of class)`; compare tables that were made with the same \
         `--by`"
    );
}

#[test]
fn what_guppy_wrote_is_written_again_byte_by_byte() {
    for name in guppy().files.keys().filter(|name| *name != "odd.hpy") {
        let bytes = golden(name);
        let written: String = read(bytes).unwrap().iter().map(write_split).collect();
        assert_eq!(
            headers_in_order_of_a_partition(&written),
            headers_in_order_of_a_partition(&String::from_utf8_lossy(bytes)),
            "{name}"
        );
    }
}

/// guppy writes the title of kinds before their name where a table was not made from objects.
fn headers_in_order_of_a_partition(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    for index in 1..lines.len() {
        if lines[index - 1].starts_with(".kindheader") && lines[index].starts_with(".kindname") {
            lines.swap(index - 1, index);
        }
    }
    lines.join("\n")
}

#[test]
fn a_kind_with_a_line_break_is_read_whole_and_written_on_one_line() {
    let table = only(golden("newline_in_name_UNREADABLE.hpy"));
    assert_eq!(table.rows[0].kind, "__main__.New\nLine");
    assert_eq!(table.rows[1].kind, "__main__.Foo");
    let written = write(&table);
    assert!(written.contains(".r: 1 96 __main__.New\\nLine\n"));
    assert_eq!(only(written.as_bytes()).rows[0].kind, "__main__.New\\nLine");
    let last = ".loader: _load_stat\n.format: SetFormat\n.timemade: 1.0\n.count: 2\n.size: 9\n\
                .kindname: \n.kindheader: Type\n.numrows: 2\n.r: 1 5 a\n\n.b\rc\n.r: 1 4 d\ne\n\n";
    let table = only(last.as_bytes());
    assert_eq!(table.rows[0].kind, "a\n\n.b\rc");
    assert_eq!(table.rows[1].kind, "d\ne");
}

#[test]
fn a_written_table_keeps_what_guppy_relies_on() {
    let mut odd = table(&[
        (1, 10, "b"),
        (2, 10, "a"),
        (1, 30, "two\r\nlines"),
        (0, 0, "nothing"),
        (3, 11, "b"),
    ]);
    odd.n_objects = 99;
    odd.kind_header = "Two\nlines".to_owned();
    assert_eq!(
        write(&odd),
        ".loader: _load_stat\n.format: SetFormat\n.timemade: 12.500000\n.count: 7\n.size: 61\n\
         .kindname: \n.kindheader: Two\\nlines\n.numrows: 3\n.r: 1 30 two\\r\\nlines\n\
         .r: 4 21 b\n.r: 2 10 a\n.end: .loader: _load_stat\n"
    );
    assert!(write_split(&odd).contains(".numrows: 4\n"));
    let nameless = table(&[(1, 10, ""), (2, 20, "<Nothing>")]);
    assert!(write(&nameless).contains(".numrows: 1\n.r: 3 30 <Nothing>\n"));
    assert!(write_split(&nameless).contains(".r: 1 10 \n"));
    let without_bytes = write(&table(&[(1, 0, "a")]));
    assert!(without_bytes.contains(".count: 0\n.size: 0\n"));
    assert!(without_bytes.contains(".numrows: 0\n.end"));
}

#[test]
fn a_difference_is_written_with_the_totals_of_the_subtrahend_first() {
    let difference = table(&[(1, 10, "a")])
        .difference(&table(&[(2, 30, "b")]), 7.0)
        .unwrap();
    let written = write(&difference);
    assert_eq!(
        written,
        ".loader: _load_stat\n.format: DiffFormat\n.timemade: 7.000000\n.b_count: 2\n.b_size: 30\n\
         .count: -1\n.size: -20\n.kindheader: Type\n.kindname: \n.numrows: 2\n.r: -2 -30 b\n\
         .r: 1 10 a\n.end: .loader: _load_stat\n"
    );
    assert_eq!(only(written.as_bytes()), difference);
}

#[test]
fn reading_is_as_lenient_as_guppy() {
    let text = write(&table(&[(2, 20, "a"), (1, 10, "b")]));
    let expected = only(text.as_bytes());
    let same = |text: String| assert_eq!(only(text.as_bytes()), expected, "{text}");
    same(text.replace(".end: .loader: _load_stat\n", ""));
    same(text.replace("\n", "\r\n"));
    same(text.replace(".numrows: 2", ".numrows: 9000000000000000000"));
    same(text.replace(".count:", ".leakhunt_version: 0.1\n.rows: x:y\n.count:"));
    same(text.replace(".count: 3", ".count: 4\n.count:3"));
    same(format!("\u{feff}\n{text}\n\n"));
    let fewer = only(text.replace(".numrows: 2", ".numrows: 1").as_bytes());
    assert_eq!(fewer.rows, expected.rows[..1]);
    assert!(!fewer.is_whole());
    let two = text.replace(".end: .loader: _load_stat\n", "") + "\n" + &text;
    assert_eq!(read(two.as_bytes()).unwrap(), [expected.clone(), expected]);
    assert_eq!(read(b""), Ok(vec![]));
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let text = write(&table(&[(2, 20, "a?c")]));
    let bytes: Vec<_> = text
        .bytes()
        .map(|byte| if byte == b'?' { 0xff } else { byte })
        .collect();
    assert_eq!(only(&bytes).rows[0].kind, "a\u{fffd}c");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let text = write(&table(&[(2, 20, "a")]));
    let error = |text: &str| read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        error("hello\nworld"),
        "line 1 is not the start of a table, `.loader: _load_stat`, but `hello`; is this file \
         written by guppy or by `leakhunt snapshot -o F.hpy`?"
    );
    for (from, to, start) in [
        ("_load_stat\n.f", "_hpy\n.f", "line 1 is not the start"),
        (".count", "count", "line 4 is no header"),
        (
            ".count: 2\n",
            "",
            "the table that starts at line 1 has no header `.count`",
        ),
        (
            ": 2\n",
            ": two\n",
            "`.count` of the table that starts at line 1 is not a number: `two`",
        ),
        (": 12.5", ": nan", "`.timemade` of"),
        (
            "SetFormat",
            "X",
            "the table that starts at line 1 is of the unknown format `X`",
        ),
        (
            "SetFormat",
            "DiffFormat",
            "the table that starts at line 1 has no header `.b_count`",
        ),
        (
            ".r: 2 20 a",
            ".r: 2 x a",
            "line 9 is no row of numbers and a kind",
        ),
        (".r: 2 20 a", ".r: 2", "line 9 is no row"),
        (".end", ".end: \n.end", "line 11 is not the start"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        assert!(error(&damaged).starts_with(start), "{}", error(&damaged));
    }
    let long = error(&"\u{1b}".repeat(500));
    assert!(long.len() < 700 && !long.contains('\u{1b}'), "{long}");
}

#[test]
fn a_cut_file_gives_its_tables_or_an_error() {
    for name in ["small_byclodo.hpy", "diff.hpy", "series_huge_kinds.hpy"] {
        let bytes = golden(name);
        for len in 0..bytes.len() {
            for table in read(&bytes[..len]).unwrap_or_default() {
                text(&table, Some(10));
                write(&table);
            }
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let names = ["series_huge_kinds.hpy", "diff.hpy", "id_homogeneous.hpy"];
    for round in 0..20_000 {
        let mut bytes = golden(names[round % names.len()]).to_vec();
        for _ in 0..=random(6) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes[at] = b"\n\r .:-019r"[random(10)],
                2 => bytes.truncate(at + 1),
                3 => {
                    let end = (at + random(40)).min(bytes.len());
                    bytes.splice(at..at, bytes[at..end].to_vec());
                }
                _ => {
                    let end = (at + 1 + random(40)).min(bytes.len());
                    bytes.drain(at..end);
                    bytes.push(b'\n');
                }
            }
        }
        let Ok(tables) = read(&bytes) else { continue };
        for table in &tables {
            text(table, Some(3));
            let again = read(write(table).as_bytes()).unwrap();
            assert_eq!(again.len(), 1);
            assert_eq!(write(&again[0]), write(table));
            let _ = table.difference(&tables[0], 0.0);
        }
    }
}
