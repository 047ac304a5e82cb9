use std::collections::BTreeMap;

use leakhunt_heap::{ObjId, ObjectState, Snapshot, Verdict, inspect};
use serde_json::Value;

use crate::support::packages::packages;
use crate::support::snapshots::Folder;
use crate::support::{Interpreter, Start, Target, all, few, on_each, python3, skipped};

/// Addresses and what is expected there, from a `dict` of the target.
fn expected(target: &mut Target, expression: &str) -> BTreeMap<String, Vec<Value>> {
    serde_json::from_value(target.eval(expression)).unwrap()
}

fn at(snapshot: &Snapshot, address: u64) -> ObjId {
    let object = snapshot.objects.at(address);
    object.unwrap_or_else(|| panic!("nothing at {address:#x}"))
}

fn inspected(interpreter: &Interpreter, options: &[&str]) -> (Target, Snapshot) {
    let target = Target::start(interpreter, "inspected");
    let folder = Folder::of(&target, options);
    let snapshot = folder.read();
    (target, snapshot)
}

/// What inspectors say of the target's objects that they should not, a line each.
fn wrong(target: &mut Target, snapshot: &Snapshot) -> Vec<String> {
    let inspections = inspect(snapshot);
    let cases = expected(target, "CASES");
    assert!(!cases.is_empty());
    let mut wrong = Vec::new();
    for (name, case) in cases {
        let object = at(snapshot, case[0].as_u64().unwrap());
        let verdict = match inspections.verdict(object) {
            Verdict::Leaking => "leaking",
            Verdict::NotLeaking => "not leaking",
            Verdict::Unknown => "unknown",
        };
        let reason = inspections.of(object).map_or("", |said| &*said.reason);
        if (verdict, reason) != (case[1].as_str().unwrap(), case[2].as_str().unwrap()) {
            wrong.push(format!(
                "{name}: {verdict} {reason:?}, not {} {}",
                case[1], case[2]
            ));
        }
    }
    wrong
}

#[test]
fn what_should_be_gone_is_told_from_its_twin() {
    on_each(few(), |py| {
        let (mut target, snapshot) = inspected(py, &[]);
        let wrong = wrong(&mut target, &snapshot);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

#[test]
fn verdicts_need_no_keys_of_dicts() {
    let (mut target, snapshot) = inspected(python3(), &["--no-names"]);
    let wrong = wrong(&mut target, &snapshot);
    // The names of methods are keys: of their caches the reason is another, not the verdict.
    let (of_caches, others): (Vec<_>, Vec<_>) = wrong
        .iter()
        .partition(|line| line.contains("lru_cache of the method without a known name"));
    assert!(others.is_empty(), "{others:#?}");
    let has_verdict =
        |line: &&&String| line.contains(": leaking") && line.contains(r#"not "leaking"#);
    assert_eq!(
        of_caches.iter().filter(has_verdict).count(),
        of_caches.len()
    );
}

#[test]
fn closed_sessions_of_packages_are_told_from_open_ones() {
    let requirements = ["aiohttp==3.11.18", "httpx==0.28.1", "urllib3==2.2.3"];
    let folder = match packages(python3(), &requirements) {
        Ok(folder) => folder,
        Err(reason) => return skipped("sessions of packages", &reason),
    };
    let start = Start::new(python3(), "inspected_clients");
    let mut target = start.packages(&folder).ready();
    let snapshot = Folder::of(&target, &[]).read();
    let wrong = wrong(&mut target, &snapshot);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn states_are_those_that_python_tells() {
    on_each(all(), |py| {
        let (mut target, snapshot) = inspected(py, &[]);
        for (address, state) in expected(&mut target, "STATES") {
            let object = at(&snapshot, address.parse().unwrap());
            let expected = match (state[0].as_str(), state[1].as_u64()) {
                (None, _) => None,
                (Some("bounded"), Some(most)) => Some(ObjectState::Bounded(most)),
                (Some("suspended"), Some(line)) => Some(ObjectState::Suspended(line as u32)),
                (Some("defaults"), Some(most)) => Some(ObjectState::Defaults(most as u32)),
                (Some(word), _) => Some(of_word(word)),
            };
            let of_type = snapshot.type_of(object).key();
            assert_eq!(snapshot.state_of(object), expected, "{of_type}");
        }
    });
}

fn of_word(word: &str) -> ObjectState {
    match word {
        "created" => ObjectState::Created,
        "running" => ObjectState::Running,
        "finished" => ObjectState::Finished,
        "pending" => ObjectState::Pending,
        "cancelled" => ObjectState::Cancelled,
        "open" => ObjectState::Open,
        "closed" => ObjectState::Closed,
        other => panic!("no state is called {other}"),
    }
}
