use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::support::leakhunt::program;
use crate::support::{Leakhunt, scratch_file};

/// A table of an `.hpy` file by type.
pub(crate) fn table(rows: &[(&str, i64, i64)]) -> String {
    let (n_objects, size_bytes) = rows
        .iter()
        .fold((0, 0), |sums, row| (sums.0 + row.1, sums.1 + row.2));
    let mut text = format!(
        ".loader: _load_stat\n.format: SetFormat\n.timemade: 1770091506.000000\n\
         .count: {n_objects}\n.size: {size_bytes}\n.kindname: \n.kindheader: Type\n\
         .numrows: {}\n",
        rows.len()
    );
    for (kind, n_objects, size_bytes) in rows {
        text.push_str(&format!(".r: {n_objects} {size_bytes} {kind}\n"));
    }
    text + ".end: .loader: _load_stat\n"
}

/// A line of a growth log.
pub(crate) fn look(number: u64, rows: &[(&str, i64, i64)]) -> String {
    let types: Vec<_> = rows
        .iter()
        .map(|(name, n_objects, size_bytes)| {
            json!({
                "type": name, "count": n_objects, "delta": 0, "bytes": size_bytes,
                "bytes_delta": 0, "garbage": 0,
            })
        })
        .collect();
    let record = json!({
        "schema": "leakhunt.growth/1", "pid": 4121, "time": format!("2026-02-03T04:05:{number:02}Z"),
        "look": number, "pause_ms": 6, "objects": rows.iter().map(|row| row.1).sum::<i64>(),
        "bytes": rows.iter().map(|row| row.2).sum::<i64>(), "garbage": 0, "types": types,
    });
    format!("{record}\n")
}

/// A file of this content.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = scratch_file(name);
    fs::write(&path, content).unwrap();
    path
}

/// A folder that is a snapshot.
pub(crate) fn snapshot() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/heap/format/samples/v1.leakhunt")
}

fn show(path: impl AsRef<Path>) -> Leakhunt {
    Leakhunt::new(["show"]).arg(path.as_ref())
}

#[test]
fn each_kind_of_file_is_known_by_its_content() {
    let done = show(file("a.txt", table(&[("shop.Row", 3, 168)])))
        .run()
        .expect(0);
    assert_eq!(
        done.stdout,
        "Partition of a set of 3 objects. Total size = 168 bytes.\n \
         Index  Count   %     Size   % Cumulative  % Type\n     \
         0      3 100      168 100       168 100 shop.Row\n"
    );
    assert_eq!(done.stderr, "");
    let log = look(1, &[("str", 1, 50)]) + &look(3, &[("str", 4, 200)]);
    let done = show(file("a.hpy", log)).run().expect(0);
    assert!(done.stdout.contains("growth log of 2 looks"), "{done:#?}");
    assert!(done.stdout.contains("+3"), "{done:#?}");
    let done = show(snapshot()).run().expect(0);
    assert!(
        done.stdout.starts_with("snapshot of process 4121"),
        "{done:#?}"
    );
    assert!(done.stdout.contains("shop.cache.Outer.Entry"), "{done:#?}");
}

#[test]
fn a_snapshot_is_counted_by_what_is_asked_for() {
    let by = |by: &str| {
        show(snapshot())
            .args(&["--json", "--by", by])
            .run()
            .expect(0)
    };
    for (kind, header) in [
        ("type", "Type"),
        ("clodo", "Kind (class / dict of class)"),
        ("rcs", "Referrers by Kind (class / dict of class)"),
        ("size", "Individual Size"),
        ("type&size", "Type & Individual Size"),
    ] {
        assert_eq!(by(kind).json()["by"], header);
    }
    Leakhunt::new(["show", "x", "--by", "colour"])
        .run()
        .expect(2)
        .expect_stderr("write one of clodo");
}

#[test]
fn rows_are_chosen_and_ordered() {
    let rows = [("b.Row", 1, 900), ("a.Row", 9, 90), ("a.Col", 5, 500)];
    let path = file("rows.hpy", table(&rows));
    let names = |args: &[&str]| -> Vec<String> {
        let done = show(&path).arg("--json").args(args).run().expect(0);
        let rows = done.json()["tables"][0]["rows"].as_array().unwrap().clone();
        let name = |row: &serde_json::Value| row["name"].as_str().unwrap().to_owned();
        rows.iter().map(name).collect()
    };
    assert_eq!(names(&[]), ["b.Row", "a.Row", "a.Col"], "as in the file");
    assert_eq!(names(&["--sort", "size"]), ["b.Row", "a.Col", "a.Row"]);
    assert_eq!(names(&["--sort", "count"]), ["a.Row", "a.Col", "b.Row"]);
    assert_eq!(names(&["--sort", "name"]), ["a.Col", "a.Row", "b.Row"]);
    assert_eq!(names(&["--match", "^a\\."]), ["a.Row", "a.Col"]);
    assert_eq!(names(&["--limit", "1"]).len(), 3, "JSON has all");
    for (limit, n_lines) in [("1", 4), ("0", 5), ("18446744073709551615", 5)] {
        let done = show(&path).args(&["--limit", limit]).run().expect(0);
        assert_eq!(done.stdout.lines().count(), n_lines, "{done:#?}");
    }
    show(&path)
        .args(&["--limit", "99999999999999999999"])
        .run()
        .expect(2);
}

#[test]
fn tables_of_a_series_have_numbers() {
    let tables: String = (1..=3).map(|n| table(&[("str", n, 50 * n)])).collect();
    let path = file("series.hpy", tables);
    let done = show(&path).run().expect(0);
    assert!(
        done.stdout
            .starts_with("table 1 of 3, 2026-02-03 04:05:06 UTC\n")
    );
    assert_eq!(show(&path).arg("--json").run().json()["n_tables"], 3);
    for (number, n_objects) in [("1", 1), ("3", 3), ("-1", 3), ("-3", 1)] {
        let done = show(&path).args(&["--json", "--snapshot", number]);
        let json = done.run().expect(0).json();
        assert_eq!(json["tables"].as_array().unwrap().len(), 1);
        assert_eq!(json["tables"][0]["objects"], n_objects, "{number}");
    }
    for number in ["4", "-4", "9223372036854775807", "-9223372036854775808"] {
        show(&path)
            .args(&["--snapshot", number])
            .run()
            .expect(2)
            .expect_stderr("holds 3 tables");
    }
    show(&path)
        .args(&["--snapshot", "0"])
        .run()
        .expect(2)
        .expect_stderr("counted from 1");
}

#[test]
fn options_that_a_file_has_nothing_for_are_refused() {
    show(snapshot())
        .args(&["--snapshot", "1"])
        .run()
        .expect(2)
        .expect_stderr("is a snapshot");
    let path = file("by.hpy", table(&[("str", 1, 50)]));
    show(&path)
        .args(&["--by", "rcs"])
        .run()
        .expect(2)
        .expect_stderr("counts by `Type` and cannot be counted anew");
    show(&path).args(&["--by", "type"]).run().expect(0);
    show(file("by.jsonl", look(1, &[])))
        .args(&["--by", "clodo"])
        .run()
        .expect(2)
        .expect_stderr("counts by type alone");
}

#[test]
fn what_is_no_such_file_is_told_with_what_can_be_read() {
    for (content, told) in [
        (&b"hello\nworld\n"[..], "starts with `hello`"),
        (b"", "is empty"),
        (b"\x1f\x8b\x08\0", "zcat FILE"),
        (b"PAR1\x15", "name the folder"),
        (b"{\"schema\":\"leakhunt.ps/1\"}\n", "`leakhunt.ps/1`"),
        (b".loader: _load_stat\n.format: SetFormat\n", "no header"),
    ] {
        let done = show(file("other", content)).run().expect(2);
        assert_eq!(done.stdout, "");
        done.expect_stderr(told);
    }
    show("/no/such/file")
        .run()
        .expect(2)
        .expect_stderr("cannot read /no/such/file: No such file");
    let folder = scratch_file("folder");
    fs::create_dir_all(&folder).unwrap();
    show(&folder)
        .run()
        .expect(2)
        .expect_stderr("not a snapshot's folder");
    show(snapshot().join("meta.json"))
        .run()
        .expect(2)
        .expect_stderr("is one file of a snapshot");
}

#[test]
fn a_cut_file_is_shown_with_a_warning() {
    let whole = table(&[("str", 1, 50), ("int", 2, 56)]);
    let cut = &whole[..whole.find(".r: 2").unwrap()];
    let done = show(file("cut.hpy", cut)).run().expect(0);
    assert!(done.stdout.contains("str"));
    done.expect_stderr("do not add up to the totals");
    let log = look(1, &[]) + &look(2, &[])[..40];
    let done = show(file("torn.jsonl", log)).run().expect(0);
    done.expect_stderr("line 2 is torn; skipped");
}

#[test]
fn a_damaged_snapshot_is_not_shown() {
    let copy = |name: &str| {
        let folder = scratch_file(name);
        fs::create_dir_all(&folder).unwrap();
        for part in fs::read_dir(snapshot()).unwrap().flatten() {
            fs::copy(part.path(), folder.join(part.file_name())).unwrap();
        }
        folder
    };
    type Damage = fn(&Path);
    let damage: [(&str, Damage); 4] = [
        ("meta.json", |part| fs::write(part, "{").unwrap()),
        ("objects.parquet", |part| fs::remove_file(part).unwrap()),
        ("types.parquet", |part| {
            let bytes = fs::read(part).unwrap();
            fs::write(part, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("references.parquet", |part| {
            let mut bytes = fs::read(part).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x10;
            fs::write(part, bytes).unwrap();
        }),
    ];
    for (name, damage) in damage {
        let folder = copy("damaged.leakhunt");
        damage(&folder.join(name));
        let done = show(&folder).run().expect(2);
        assert_eq!(done.stdout, "");
        assert!(!done.stderr.contains("panicked"), "{done:#?}");
        done.expect_stderr(name);
    }
}

#[test]
fn names_of_files_need_not_be_utf_8() {
    let mut name = scratch_file("bytes").into_os_string().into_vec();
    name.extend(b"\xff\x1b[2J.hpy");
    let path = PathBuf::from(std::ffi::OsString::from_vec(name));
    fs::write(&path, table(&[("str", 1, 50)])).unwrap();
    show(&path).run().expect(0);
    let json = show(&path).arg("--json").run().expect(0).json();
    assert!(json["file"].as_str().unwrap().contains("\u{fffd}\\x1b[2J"));
    fs::write(&path, "nothing").unwrap();
    let done = show(&path).run().expect(2);
    assert!(!done.stderr.contains('\x1b'), "{done:#?}");
}

#[test]
fn stdin_is_a_file_too() {
    let path = file("in.hpy", table(&[("str", 1, 50)]));
    let mut command = Command::new("sh");
    command.args(["-c", "cat \"$1\" | \"$2\" show -", "sh"]);
    command.arg(&path).arg(program());
    let done = Leakhunt::of(command).run().expect(0);
    assert!(done.stdout.contains("1 object."), "{done:#?}");
}

#[test]
fn a_closed_pipe_is_success_for_show() {
    let rows: Vec<_> = (0..40_000).map(|_| ("shop.Row", 1, 50)).collect();
    let path = file("long.hpy", table(&rows));
    let mut command = Command::new("bash");
    command.args([
        "-c",
        "\"$2\" show --limit 0 \"$1\" | head -n 1; exit ${PIPESTATUS[0]}",
        "sh",
    ]);
    command.arg(&path).arg(program());
    let done = Leakhunt::of(command).run().expect(0);
    assert_eq!(done.stderr, "");
}
