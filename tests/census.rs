use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{
    Fingerprint, Interpreter, Leakhunt, Start, Target, all, assert_unharmed, on_each,
};

/// Types whose bytes leakhunt may call an estimate. A type of the zoo that is not here is exact.
/// Each has memory of its own whose size only the type's own code knows.
const ESTIMATED: [&str; 14] = [
    "StgDict",
    "_ctypes.PyCArrayType",
    "_ctypes.PyCFuncPtrType",
    "_ctypes.PyCPointerType",
    "_ctypes.PyCSimpleType",
    "_ctypes.PyCStructType",
    "_ctypes.UnionType",
    "_io.BufferedRandom",
    "_io.BufferedReader",
    "_io.BufferedWriter",
    "_struct.Struct",
    "ctypes._endian._swapped_struct_meta",
    "ctypes._endian._swapped_union_meta",
    "decimal.Decimal",
];

/// Counts and bytes by type, as the target's own interpreter tells them.
type Tally = BTreeMap<String, (u64, u64)>;

/// A zoo that waits in a read, and the line of JSON that leakhunt printed of it.
struct Looked {
    record: Value,
    /// Without frozen objects, counted before and after the look.
    before: Tally,
    after: Tally,
    /// With the frozen ones, counted after the look.
    everything: Tally,
    n_frozen: u64,
    target: Target,
}

fn look(start: Start) -> Looked {
    let mut target = start.ready();
    let mut before = Fingerprint::of(&mut target);
    target.send(&serde_json::json!({ "look": true }));
    target.answer(crate::support::LIMIT);
    let done = Leakhunt::at(target.pid, "growth", &["--count", "1", "--json"])
        .run()
        .expect(0);
    let record = done.json_lines().pop().expect("one line for one look");
    target.send_byte(b'x');
    let answer = target.answer(crate::support::LIMIT);
    let tally = |field: &str| -> Tally { serde_json::from_value(answer[field].clone()).unwrap() };
    // The target thaws by itself.
    before.expect_word("frozen", 0.into());
    assert_unharmed(&before, &mut target);
    Looked {
        record,
        before: tally("before"),
        after: tally("after"),
        everything: tally("everything"),
        n_frozen: answer["frozen"].as_u64().unwrap(),
        target,
    }
}

/// What the record says of a type, for each type.
fn types(record: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let rows = record["types"].as_array().expect("`types` is a list");
    rows.iter()
        .map(|row| (row["type"].as_str().expect("`type` is text"), row))
}

fn number(row: &Value, field: &str) -> u64 {
    match &row[field] {
        Value::Null => 0,
        value => value
            .as_u64()
            .unwrap_or_else(|| panic!("{field} of {row} is no number")),
    }
}

/// Lines for a person, where two tallies differ.
fn differences(expected: &Tally, found: &Tally) -> Vec<String> {
    let mut names: Vec<_> = expected.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names
        .into_iter()
        .filter(|name| expected.get(*name) != found.get(*name));
    differing
        .map(|name| {
            format!(
                "{name}: {:?} and not {:?}",
                found.get(name),
                expected.get(name)
            )
        })
        .collect()
}

/// Checks count and bytes of each type; gives the names of those whose bytes are an estimate.
fn check_tally(py: &Interpreter, looked: &Looked) -> Vec<String> {
    // 3.13t makes functions, types and modules immortal, and its collector loses sight of them, when
    // the first thread is started: that is the agent's here.
    let (oracle, left) = if py.free_threaded {
        (&looked.after, Vec::new())
    } else {
        (
            &looked.everything,
            differences(&looked.before, &looked.after),
        )
    };
    assert!(
        left.is_empty(),
        "the look left objects behind:\n  {}",
        left.join("\n  ")
    );
    let mut estimates = Vec::new();
    let mut found = Tally::new();
    let mut expected = oracle.clone();
    for (name, row) in types(&looked.record) {
        let count = number(row, "count");
        if count == 0 {
            continue;
        }
        let mut bytes = number(row, "bytes");
        if row["estimate"] == Value::Bool(true) {
            estimates.push(name.to_owned());
            if let Some(own) = expected.get_mut(name) {
                own.1 = 0;
            }
            bytes = 0;
        }
        let known = found.insert(name.to_owned(), (count, bytes));
        assert!(known.is_none(), "{name} stands there twice");
    }
    let differences = differences(&expected, &found);
    assert!(
        differences.is_empty(),
        "not the interpreter's own:\n  {}",
        differences.join("\n  ")
    );
    estimates
}

#[test]
fn counts_and_bytes_of_each_type_are_the_interpreters_own() {
    on_each(all(), |py| {
        let looked = look(Start::new(py, "zoo").arg("0"));
        let estimates = check_tally(py, &looked);
        let unknown: Vec<_> = estimates
            .iter()
            .filter(|name| !ESTIMATED.contains(&name.as_str()))
            .collect();
        println!("{py}: estimates: {estimates:?}");
        assert!(
            unknown.is_empty(),
            "estimates that are not on the list: {unknown:?}"
        );
        let oracle = if py.free_threaded {
            &looked.after
        } else {
            &looked.everything
        };
        let own: u64 = oracle.values().map(|row| row.0).sum();
        assert_eq!(number(&looked.record, "objects"), own, "sum of all objects");
        looked.target.finish_unharmed();
    });
}

#[test]
fn frozen_objects_are_counted_and_told_apart() {
    on_each(all().iter().filter(|py| !py.free_threaded), |py| {
        let looked = look(Start::new(py, "zoo").arg("0").arg("freeze"));
        assert!(looked.n_frozen > 1000, "the zoo did freeze");
        check_tally(py, &looked);
        let frozen: u64 = types(&looked.record)
            .map(|(_, row)| number(row, "frozen"))
            .sum();
        assert_eq!(frozen, looked.n_frozen, "gc.get_freeze_count()");
        let thawed: BTreeMap<_, _> = types(&looked.record)
            .map(|(name, row)| (name, number(row, "count") - number(row, "frozen")))
            .filter(|(_, count)| *count > 0)
            .collect();
        let expected: BTreeMap<_, _> = looked
            .before
            .iter()
            .map(|(name, row)| (name.as_str(), row.0))
            .collect();
        assert_eq!(
            thawed, expected,
            "gc.get_objects() does not show the frozen ones"
        );
        looked.target.finish_unharmed();
    });
}

#[test]
fn garbage_is_what_the_collector_then_finds() {
    on_each(all(), |py| {
        let Looked {
            record, mut target, ..
        } = look(Start::new(py, "zoo").arg("37"));
        let told: BTreeMap<String, u64> = types(&record)
            .map(|(name, row)| (name.to_owned(), number(row, "garbage")))
            .filter(|(_, garbage)| *garbage > 0)
            .collect();
        assert_eq!(told.get("__main__.Lost"), Some(&37), "{told:?}");
        assert_eq!(
            told.get("__main__.Plain"),
            None,
            "the cycles that are kept are no garbage"
        );
        let truth = target.eval("collect()");
        let found: BTreeMap<String, u64> = serde_json::from_value(truth["types"].clone()).unwrap();
        assert_eq!(told, found, "what gc.collect() found afterwards");
        assert_eq!(
            record["garbage"], truth["found"],
            "what gc.collect() returned afterwards"
        );
        target.finish_unharmed();
    });
}

#[test]
fn with_collect_there_is_no_garbage() {
    on_each(crate::support::few(), |py| {
        let mut target = Start::new(py, "zoo").arg("37").ready();
        let args = ["--count", "1", "--json", "--collect"];
        let done = Leakhunt::at(target.pid, "growth", &args).run().expect(0);
        let record = &done.json_lines()[0];
        let lost = types(record).find(|(name, _)| *name == "__main__.Lost");
        assert!(
            lost.is_none_or(|(_, row)| number(row, "count") == 0),
            "{lost:?}"
        );
        assert_eq!(
            target.eval("collect()")["found"],
            0,
            "nothing is left for the collector"
        );
        target.finish_unharmed();
    });
}
