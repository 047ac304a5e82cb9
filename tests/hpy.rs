use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::leakhunt::program;
use crate::support::packages::packages;
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Running, Start, Target, all, assert_unharmed,
    on_each, python3, scratch_file, skipped,
};

const GUPPY: &str = "guppy3==3.1.7";

/// Count and bytes of each kind, summed by name.
type Rows = BTreeMap<String, (u64, u64)>;

/// The last snapshot of a file in guppy's format.
fn rows(path: &Path) -> Rows {
    let text = fs::read_to_string(path).unwrap();
    let start = text.rfind(".loader: _load_stat\n.").unwrap_or(0);
    let mut rows = Rows::new();
    for row in text[start..]
        .lines()
        .filter_map(|line| line.strip_prefix(".r: "))
    {
        let mut words = row.splitn(3, ' ');
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        let (count, size) = (number(), number());
        let entry = rows.entry(words.next().unwrap().to_owned()).or_default();
        *entry = (entry.0 + count, entry.1 + size);
    }
    rows
}

/// What guppy says of files.
fn judged(guppy: &PathBuf, py: &Interpreter, files: &[&Path]) -> Value {
    let mut python = py.command();
    python.args(["-c", include_str!("support/check_hpy.py")]);
    python
        .args(files)
        .env("PYTHONPATH", guppy)
        .env("PYTHONUTF8", "1");
    let done = python.output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "guppy cannot read {files:?}: {stderr}"
    );
    let judged: Value = serde_json::from_slice(&done.stdout).unwrap();
    for (file, snapshots) in files.iter().zip(judged.as_array().unwrap()) {
        for snapshot in snapshots.as_array().unwrap() {
            assert_eq!(
                snapshot["wrong"],
                json!([]),
                "{}: {snapshot}",
                file.display()
            );
        }
    }
    judged
}

/// The interpreters that the design measured guppy on, as far as they are here and guppy is to be had.
fn with_guppy(claim: impl Fn(&Interpreter, &PathBuf)) {
    let is_chosen = |minor: u32, py: &&Interpreter| {
        py.version.0 == 3 && py.version.1 == minor && py.sees_our_files() && !py.free_threaded
    };
    let pyenv_first = |minor: u32| {
        let mut found: Vec<_> = all().iter().filter(|py| is_chosen(minor, py)).collect();
        found.sort_by_key(|py| !py.name.starts_with("pyenv"));
        found.into_iter().next()
    };
    let chosen: Vec<_> = [11, 13].into_iter().filter_map(pyenv_first).collect();
    let chosen = if chosen.is_empty() {
        vec![python3()]
    } else {
        chosen
    };
    on_each(chosen, |py| match packages(py, &[GUPPY]) {
        Ok(guppy) => claim(py, &guppy),
        Err(reason) => skipped(&format!("{GUPPY} on {py}"), &reason),
    });
}

fn oracle(py: &Interpreter, guppy: &PathBuf) -> Target {
    Start::new(py, "guppy_oracle").packages(guppy).ready()
}

fn snapshot(target: &Target, path: &Path, options: &[&str]) {
    let snapshot = Leakhunt::at(target.pid, "snapshot", options).arg("-o");
    snapshot.arg(path).run().expect(0);
}

/// Lets guppy look in the target; gives the folder with what it wrote.
fn look(target: &mut Target, function: &str) -> PathBuf {
    let folder = scratch_file("guppy");
    fs::create_dir_all(&folder).unwrap();
    let written = target.eval(&format!("{function}({folder:?})"));
    assert_eq!(written, json!(["clodo.hpy", "rcs.hpy"]));
    folder
}

/// Fails unless the rows of the target's own kinds are guppy's.
fn check_rows(by: &str, guppys: &Path, ours: &Path) {
    let theirs = own(&rows(&guppys.join(by).with_extension("hpy")));
    assert!(theirs.len() > 1, "guppy sees the classes: {theirs:?}");
    let wrong = differences(&theirs, &own(&rows(ours)));
    assert!(wrong.is_empty(), "by {by}:\n  {}", wrong.join("\n  "));
}

/// The rows of kinds that are made of the target's own classes and of containers. Classes themselves, and
/// texts that classes and code refer to, have referrers of which guppy sees more or fewer.
fn own(rows: &Rows) -> Rows {
    const CONTAINERS: [&str; 4] = ["list", "tuple", "dict (no owner)", "collections.deque"];
    let is_own = |part: &str| part.contains("__main__.") && !part.contains("Meta");
    let mut own = rows.clone();
    own.retain(|name, _| {
        let mut parts = name.split(", ");
        parts.clone().any(is_own) && parts.all(|part| is_own(part) || CONTAINERS.contains(&part))
    });
    own
}

fn differences(expected: &Rows, found: &Rows) -> Vec<String> {
    let mut names: Vec<_> = expected.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| expected.get(*name) != found.get(*name));
    let row = |rows: &Rows, name| rows.get(name).copied();
    let lines = names.into_iter();
    lines
        .map(|name| {
            format!(
                "{name}: {:?}, guppy {:?}",
                row(found, name),
                row(expected, name)
            )
        })
        .collect()
}

#[test]
fn kinds_of_the_targets_own_classes_are_counted_as_by_guppy() {
    with_guppy(|py, guppy| {
        let mut target = oracle(py, guppy);
        let guppys = look(&mut target, "look");
        let before = Fingerprint::of(&mut target);
        for by in ["clodo", "rcs"] {
            let file = scratch_file("ours.hpy");
            snapshot(&target, &file, &["--by", by]);
            check_rows(by, &guppys, &file);
        }
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn dicts_that_guppy_would_make_are_counted_on_request() {
    with_guppy(|py, guppy| {
        let mut target = oracle(py, guppy);
        look(&mut target, "look_lazily");
        let files = ["clodo", "rcs"].map(|by| (by, scratch_file("ours.hpy")));
        for (by, file) in &files {
            snapshot(&target, file, &["--by", by, "--virtual-dicts"]);
        }
        let guppys = look(&mut target, "look");
        for (by, file) in &files {
            check_rows(by, &guppys, file);
        }
        target.finish_unharmed();
    });
}

/// `memory`, once it has taken its first snapshot.
fn memory(target: &Target, file: &Path, by: &str) -> Running {
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" 2>&1", "sh"]).arg(program());
    shell.args(["memory", "--seconds", "1h", "--by", by, "--pid"]);
    shell.arg(target.pid.to_string()).arg("-o").arg(file);
    let mut running = Leakhunt::of(shell).start();
    while !running.line().contains("at first") {}
    running
}

#[test]
fn memory_shows_what_came_and_stays_as_guppy_does() {
    with_guppy(|py, guppy| {
        for by in ["clodo", "rcs"] {
            let mut target = oracle(py, guppy);
            look(&mut target, "look");
            target.eval("mark()");
            let file = scratch_file("memory.hpy");
            let running = memory(&target, &file, by);
            target.eval("leak(100)");
            let guppys = look(&mut target, "look");
            running.signal(libc::SIGINT);
            running.end(LIMIT).expect(0);
            check_rows(by, &guppys, &file);
            judged(guppy, py, &[&file]);
            target.finish_unharmed();
        }
    });
}

#[test]
fn memory_keeps_nothing_alive_and_counts_what_is_new() {
    on_each(all().iter().filter(|py| py.sees_our_files()), |py| {
        let mut target = Target::start(py, "named_places");
        target.eval("grow(0, 50)");
        target.exec("import weakref; gone = [weakref.ref(one) for one in GLOBAL_LIST]");
        let before = Fingerprint::of(&mut target);
        let file = scratch_file("memory.hpy");
        let running = memory(&target, &file, "clodo");
        target.exec("GLOBAL_LIST.clear()");
        let gone = target.eval("[one() is None for one in gone]");
        assert_eq!(
            gone,
            json!(vec![true; 50]),
            "objects of before the first snapshot"
        );
        target.eval("grow(50, 100)");
        running.signal(libc::SIGINT);
        running.end(LIMIT).expect(0);
        let rows = rows(&file);
        for place in [
            "class_list",
            "closure",
            "deque",
            "set",
            "coroutine",
            "global_list",
        ] {
            let name = format!("__main__.In_{place}");
            // Of a place that gave addresses back, and only where there is no order of birth.
            let found = rows.get(&name).map_or(0, |row| row.0);
            let is_exact = !py.free_threaded || place != "global_list";
            assert!(found == 100 || !is_exact, "{name}: {found} of 100");
        }
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn memory_tells_objects_from_those_before_them_at_their_addresses() {
    let with_order = all().iter().filter(|py| !py.free_threaded);
    on_each(with_order, |py| {
        for collection in ["pass", "gc.collect(0)"] {
            let mut target = Target::start(py, "idle");
            target.exec("class Row:\n  __slots__ = 'n'");
            target.exec("kept = [Row() for _ in range(3000)]; rows = [Row() for _ in range(500)]");
            target.exec("kept.extend([n] for n in range(100)); gc.collect()");
            let addresses = target.eval("sorted(map(id, rows))");
            let file = scratch_file("memory.hpy");
            let running = memory(&target, &file, "clodo");
            target.exec("kept.append([]); rows.clear(); rows.extend(Row() for _ in range(500))");
            target.exec(collection);
            let shared = format!("len(set({addresses}) & set(map(id, rows)))");
            assert!(target.eval(&shared).as_u64() > Some(30), "{target:?}");
            running.signal(libc::SIGINT);
            running.end(LIMIT).expect(0);
            let found = rows(&file).get("__main__.Row").map_or(0, |row| row.0);
            assert_eq!(found, 500, "{target:?}: {collection}");
            target.finish_unharmed();
        }
    });
}

#[test]
fn guppy_opens_what_is_written() {
    with_guppy(|py, guppy| {
        let target = oracle(py, guppy);
        let kinds = ["clodo", "type", "rcs", "module", "size", "id"];
        let files = kinds.map(|by| scratch_file(&format!("{by}.hpy")));
        for (by, file) in kinds.into_iter().zip(&files) {
            snapshot(&target, file, &["--by", by]);
        }
        let paths = files.each_ref().map(PathBuf::as_path);
        let judged = judged(guppy, py, &paths);
        let headers = [
            "Kind (class / dict of class)",
            "Type",
            "Referrers by Kind (class / dict of class)",
            "Module",
            "Individual Size",
        ];
        for (snapshots, header) in judged.as_array().unwrap().iter().zip(headers) {
            assert_eq!(snapshots[0]["header"], header);
            assert_eq!(snapshots[0]["format"], "SetFormat");
            assert_eq!(
                snapshots[0]["count"], judged[0][0]["count"],
                "all objects: {header}"
            );
        }
        assert_eq!(judged[5][0]["format"], "IdFormat");
        target.finish_unharmed();
    });
}

#[test]
fn a_series_is_appended_to_and_a_file_is_replaced() {
    with_guppy(|py, guppy| {
        let mut target = oracle(py, guppy);
        let file = scratch_file("series.hpy");
        for n_looks in 1..=3 {
            snapshot(&target, &file, &["--by", "clodo", "--append"]);
            let judged = judged(guppy, py, &[&file]);
            assert_eq!(judged[0].as_array().unwrap().len(), n_looks);
            target.eval("leak(10)");
        }
        snapshot(&target, &file, &["--by", "clodo"]);
        assert_eq!(judged(guppy, py, &[&file])[0].as_array().unwrap().len(), 1);
        target.finish_unharmed();
    });
}
