use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::leakhunt::program;
use crate::support::packages::packages;
use crate::support::snapshots::{Folder, objects_of};
use crate::support::{Leakhunt, Target, python3, scratch_file, skipped};

const FILES: [&str; 7] = [
    "meta.json",
    "objects.parquet",
    "references.parquet",
    "types.parquet",
    "strings.parquet",
    "roots.parquet",
    "states.parquet",
];

/// A target with something in it that the queries can find.
fn places() -> Target {
    let mut target = Target::start(python3(), "named_places");
    target.eval("grow(0, 3)");
    target
}

/// An empty folder for a test.
fn scratch_folder() -> PathBuf {
    let folder = scratch_file("folder");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The names in a folder, hidden ones too.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for name in FILES {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// The queries of the documentation as they stand there.
fn documented_queries() -> Vec<String> {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/snapshot-file.md");
    let text = fs::read_to_string(docs).unwrap();
    let blocks = text.split("```sql\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Runs each query in the folder, prints the rows of each as one line of JSON.
const DUCKDB: &str = "import duckdb, json, os, sys
os.chdir(sys.argv[1])
for query in sys.argv[2:]:
    print(json.dumps(duckdb.sql(query).fetchall(), default=str))";

/// The rows of each query; `None` where DuckDB is not to be had.
fn duckdb(folder: &Path, queries: &[String]) -> Option<Vec<Value>> {
    let packages = match packages(python3(), &["duckdb"]) {
        Ok(packages) => packages,
        Err(reason) => {
            skipped("queries of the documentation", &reason);
            return None;
        }
    };
    let mut python = python3().command();
    python.args(["-c", DUCKDB]).arg(folder).args(queries);
    let done = python.env("PYTHONPATH", packages).output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{stderr}");
    let lines = done.stdout.split(|&byte| byte == b'\n');
    let answers: Vec<_> = lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(answers.len(), queries.len());
    Some(answers)
}

#[test]
fn each_documented_query_runs_as_it_stands() {
    let mut target = places();
    let folder = scratch_folder();
    let before = folder.join("before.leakhunt");
    Leakhunt::at(target.pid, "snapshot", &["-o"])
        .arg(&before)
        .run()
        .expect(0);
    let mut queries = documented_queries();
    assert!(queries.len() >= 3, "the documentation has queries");
    let n_documented = queries.len();
    queries.push(
        "SELECT count(*), sum(o.size_bytes) FROM 'before.leakhunt/objects.parquet' o
         JOIN 'before.leakhunt/types.parquet' t ON t.id = o.type
         WHERE t.key = '__main__.In_slots'"
            .into(),
    );
    let big = target.eval("id(BIG_DICT)").as_u64().unwrap();
    queries.push(format!(
        "SELECT count(*) FROM 'before.leakhunt/references.parquet' r
         JOIN 'before.leakhunt/objects.parquet' o ON o.id = r.source
         WHERE o.address = {big} AND r.kind = 'key'"
    ));
    if let Some(answers) = duckdb(&folder, &queries) {
        for (query, rows) in queries.iter().zip(&answers).take(n_documented) {
            // Nothing may refer to the largest object of all.
            let may_be_empty = query.contains("ORDER BY size_bytes DESC, address LIMIT 1");
            let n_rows = rows.as_array().unwrap().len();
            assert!(n_rows > 0 || may_be_empty, "no row: {query}");
        }
        assert_eq!(answers[n_documented][0][0], 3, "objects of one type");
        let entries = target.eval("len(BIG_DICT)");
        assert_eq!(
            answers[n_documented + 1][0][0],
            entries,
            "entries of a dict"
        );
    }
    fs::remove_dir_all(&folder).unwrap();
    target.finish_unharmed();
}

/// Expects `show` to refuse the folder with a message that names `file`.
fn refused(folder: &Path, file: &str, what: &str) {
    let done = Leakhunt::new(["show"]).arg(folder).run();
    assert_eq!(done.code, Some(2), "{file} {what}: {done:#?}");
    assert_eq!(done.stdout, "", "{file} {what}");
    let is_clear = done.stderr.contains(file) && !done.stderr.contains("panicked");
    assert!(is_clear, "{file} {what}: {done:#?}");
}

#[test]
fn a_damaged_folder_is_refused_by_the_name_of_its_file() {
    let target = places();
    let whole = Folder::of(&target, &[]);
    let folder = scratch_file("damaged.leakhunt");
    for file in FILES {
        let bytes = fs::read(whole.path().join(file)).unwrap();
        let with = |bytes: &[u8], what: &str| {
            copy(whole.path(), &folder);
            fs::write(folder.join(file), bytes).unwrap();
            refused(&folder, file, what);
        };
        with(&[], "empty");
        with(&bytes[..bytes.len() / 2], "cut in the middle");
        // The last byte of meta.json is the end of its last line.
        with(&bytes[..bytes.len() - 2], "cut at the end");
        with(b"PAR1 and something else PAR1", "foreign");
        if file != "meta.json" {
            with(&[&bytes[..], b"x"].concat(), "with a byte more");
            let mut flipped = bytes.clone();
            flipped[bytes.len() / 3] ^= 0x10;
            with(&flipped, "with a changed bit");
        }
        copy(whole.path(), &folder);
        fs::remove_file(folder.join(file)).unwrap();
        refused(&folder, file, "missing");
    }
    fs::remove_dir_all(&folder).unwrap();
    target.finish_unharmed();
}

#[test]
fn a_folder_of_another_schema_is_refused_with_its_name() {
    let target = places();
    let whole = Folder::of(&target, &[]);
    let folder = scratch_file("foreign.leakhunt");
    let meta = fs::read_to_string(whole.path().join("meta.json")).unwrap();
    for (schema, message) in [
        ("leakhunt.snapshot/99", "later"),
        ("somebody.else/1", "somebody.else/1"),
    ] {
        copy(whole.path(), &folder);
        let foreign = meta.replace("leakhunt.snapshot/1", schema);
        fs::write(folder.join("meta.json"), foreign).unwrap();
        let done = Leakhunt::new(["show"]).arg(&folder).run().expect(2);
        done.expect_stderr(message);
    }
    fs::remove_dir_all(&folder).unwrap();
    for (path, what) in [
        ("/nonexistent/heap.leakhunt", "nonexistent"),
        ("/etc", "/etc"),
    ] {
        let done = Leakhunt::new(["show", path]).run().expect(2);
        done.expect_stderr(what);
    }
    target.finish_unharmed();
}

#[test]
fn a_snapshot_replaces_an_earlier_one_as_a_whole() {
    let mut target = places();
    let parent = scratch_folder();
    let path = parent.join("heap.leakhunt");
    let take = || {
        Leakhunt::at(target.pid, "snapshot", &["-o"])
            .arg(&path)
            .run()
    };
    take().expect(0);
    let first = fs::read(path.join("meta.json")).unwrap();
    // What the first left open to a reader is still there after the second.
    let open = fs::File::open(path.join("objects.parquet")).unwrap();
    let len = open.metadata().unwrap().len();
    take().expect(0);
    assert_ne!(
        fs::read(path.join("meta.json")).unwrap(),
        first,
        "it is the later one"
    );
    assert_eq!(open.metadata().unwrap().len(), len);
    assert_eq!(names_in(&parent), ["heap.leakhunt"], "nothing else is left");
    let mut files = FILES.map(str::to_owned);
    files.sort();
    assert_eq!(names_in(&path), files);
    target.eval("grow(3, 1)");
    fs::remove_dir_all(&parent).unwrap();
    target.finish_unharmed();
}

/// Fails unless a run that had no room says so and leaves nothing, or what was there before.
fn left_whole(parent: &Path, target: &Target, run: impl Fn() -> Command, what: &str) {
    let earlier = parent.join("heap.leakhunt");
    for has_earlier in [false, true] {
        if has_earlier {
            let take = Leakhunt::at(target.pid, "snapshot", &["-o"]);
            take.arg(&earlier).run().expect(0);
        }
        let listed = names_in(parent);
        let done = Leakhunt::of(run()).run();
        assert!(
            matches!(done.code, Some(code) if code != 0),
            "{what}: {done:#?}"
        );
        assert!(
            done.stderr.contains("heap."),
            "{what} is not told: {done:#?}"
        );
        assert!(!done.stderr.contains("panicked"), "{done:#?}");
        assert_eq!(names_in(parent), listed, "{what}: {done:#?}");
        if has_earlier {
            let n_leaked = |folder: &Path| {
                let done = Leakhunt::new(["show"]).arg(folder).run().expect(0);
                done.stdout.lines().count()
            };
            assert!(n_leaked(&earlier) > 3, "{what}: the earlier one is whole");
        }
    }
}

#[test]
fn a_file_that_may_not_grow_leaves_no_half_snapshot() {
    let target = places();
    let parent = scratch_folder();
    for name in ["heap.leakhunt", "heap.hpy"] {
        let run = || {
            let mut shell = Command::new("sh");
            // Without its signal, which would end the program, a write over the limit fails.
            let script = "trap '' XFSZ; ulimit -f 4; exec \"$@\"";
            shell.args(["-c", script, "sh"]).arg(program());
            shell.args(["snapshot", "--pid", &target.pid.to_string(), "-o"]);
            shell.arg(parent.join(name));
            shell
        };
        left_whole(&parent, &target, run, name);
    }
    fs::remove_dir_all(&parent).unwrap();
    target.finish_unharmed();
}

#[test]
fn a_full_disk_leaves_no_half_snapshot() {
    let target = places();
    let disk = scratch_folder();
    let script = "mount -t tmpfs -o size=128k leakhunt-test \"$1\" || exit 77
program=\"$2\"; pid=\"$3\"; disk=\"$1\"
for name in heap.leakhunt heap.hpy; do
    \"$program\" snapshot --pid \"$pid\" -o \"$disk/$name\" 2>\"$disk.stderr\"
    echo \"$name $?\"
    cat \"$disk.stderr\" >&2
    ls -A \"$disk\"
    : >\"$disk/ballast\"
    head -c 126976 /dev/zero >\"$disk/ballast\" 2>/dev/null
done";
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c", script, "sh"]).arg(&disk);
    shell.arg(program()).arg(target.pid.to_string());
    let done = Leakhunt::of(shell).run();
    if done.stdout.is_empty() {
        skipped("a full disk", &done.stderr);
        return;
    }
    let lines: Vec<_> = done.stdout.lines().collect();
    assert_eq!(
        lines,
        ["heap.leakhunt 2", "heap.hpy 2", "ballast"],
        "{done:#?}"
    );
    assert!(done.stderr.contains("No space left"), "{done:#?}");
    let _ = fs::remove_dir_all(&disk);
    target.finish_unharmed();
}

#[test]
fn a_folder_that_was_read_holds_what_the_target_has() {
    let mut target = places();
    let snapshot = Folder::of(&target, &[]).read();
    for place in ["In_lru", "In_deque", "In_generator", "In_frame"] {
        let n_objects = objects_of(&snapshot, &format!("__main__.{place}")).count();
        assert_eq!(n_objects, 3, "{place}");
    }
    let python = target.eval("sys.version.split()[0]");
    assert_eq!(snapshot.capture.python, python.as_str().unwrap());
    assert_eq!(snapshot.capture.pid, target.pid);
    assert_eq!(snapshot.capture.names, "small");
    target.finish_unharmed();
}
