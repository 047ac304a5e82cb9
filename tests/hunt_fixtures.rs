use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use serde_json::Value;

use crate::support::fixtures::{Fixture, Promise, fixtures, folder};
use crate::support::{Interpreter, Leakhunt, Start, all, python3};

/// So many targets run at once: they mostly sleep.
const AT_ONCE: usize = 5;
/// The minor versions of Python that are tried: an old one, one of the middle, and the newest.
const VERSIONS: [u32; 3] = [9, 12, 15];

/// What was said of a fixture on a version of Python.
type Said = BTreeMap<(String, u32), Result<String, String>>;

/// `python3` where there is none of the versions.
fn interpreters() -> Vec<&'static Interpreter> {
    let of_minor = |minor: u32| {
        let is_it = |py: &&Interpreter| py.version.1 == minor && py.sees_our_files();
        all().iter().find(|py| is_it(py) && !py.free_threaded)
    };
    let found: Vec<_> = VERSIONS.into_iter().filter_map(of_minor).collect();
    if found.is_empty() {
        return vec![python3()];
    }
    found
}

/// The documents of a hunt on a fixture at work, past what fills once.
fn hunted(py: &Interpreter, fixture: &Fixture) -> Value {
    let folder = folder();
    let mut target = Start::new(py, "fixture_host")
        .arg(folder.to_str().unwrap())
        .arg(&fixture.module)
        .ready();
    target.eval("start(3600)");
    let options = ["--for", "6s", "--scans", "7", "--json"];
    let hunt = Leakhunt::at(target.pid, "hunt", &options).run();
    hunt.expect(0).json()
}

/// What the first finding is, in a few words; whether that is what was promised.
fn judged(promise: &Promise, hunt: &Value) -> Result<String, String> {
    let Some(first) = hunt["findings"].get(0) else {
        return match promise {
            Promise::Nothing => Ok("nothing".to_owned()),
            _ => Err("nothing".to_owned()),
        };
    };
    let kind = first["kind"].as_str().unwrap_or_default();
    let place = first["place"].as_str().unwrap_or_default();
    let types: Vec<&str> = first["holds"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|held| held["type"].as_str())
        .collect();
    let is_of = |wanted: &str| {
        types
            .iter()
            .any(|key| key.rsplit('.').next() == Some(wanted))
    };
    let is_one_of = |places: &[String]| kind == "place" && places.iter().any(|one| one == place);
    let is_kept = match promise {
        Promise::Nothing => false,
        // What a place holds may be what the objects are bound in, as a method is to its object.
        Promise::Place { places, .. } => is_one_of(places),
        Promise::Garbage(type_name) => kind == "garbage" && is_of(type_name),
        Promise::Native { type_name, places } => {
            kind == "native_references" && is_of(type_name) || is_one_of(places)
        }
        Promise::NativeMemory => kind == "native_memory",
        Promise::Threads(function) => kind == "threads" && place == function,
        Promise::Descriptors => kind == "descriptors",
    };
    let rate = first["objects_per_s"].as_f64().unwrap_or_default();
    let verdict = match kind {
        "garbage" | "native_references" | "native_memory" => kind,
        _ => "leak",
    };
    match is_kept && hunt["verdict"] == verdict {
        true if *promise == Promise::NativeMemory => {
            let rate = first["bytes_per_s"].as_f64().unwrap_or_default() / 1e6;
            Ok(format!("{rate:+.1} MB/s"))
        }
        true => Ok(format!("{rate:+.0} /s")),
        false => Err(format!("{kind} {place:?} of {types:?}, {rate:+.0} /s")),
    }
}

/// Hunts all pairs, a few at a time.
fn hunt_all(pairs: Vec<(&'static Interpreter, Fixture)>) -> Said {
    let (waiting, said) = (Mutex::new(pairs), Mutex::new(Said::new()));
    let work = || {
        let next = || waiting.lock().unwrap().pop();
        while let Some((py, fixture)) = next() {
            let hunt = catch_unwind(AssertUnwindSafe(|| hunted(py, &fixture)));
            let found = match hunt {
                Ok(hunt) => judged(&fixture.promise, &hunt),
                Err(_) => Err("the hunt failed".to_owned()),
            };
            let key = (fixture.module, py.version.1);
            said.lock().unwrap().insert(key, found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    said.into_inner().unwrap()
}

#[test]
fn each_leak_is_named_first_and_nothing_is_said_of_its_twin() {
    let interpreters = interpreters();
    let is_whole = std::env::var_os("LEAKHUNT_STRESS").is_some();
    let fixtures = fixtures();
    // A leak is tried on the interpreter that its twin is tried on: by the letters of their name.
    let turn = |fixture: &Fixture| fixture.module.split('_').skip(1).collect::<String>().len();
    let pairs: Vec<_> = fixtures
        .iter()
        .flat_map(|fixture| {
            let of_turn = turn(fixture) % interpreters.len();
            let tried = interpreters.iter().enumerate();
            tried
                .filter(move |(index, _)| is_whole || *index == of_turn)
                .map(|(_, py)| (*py, fixture.clone()))
        })
        .collect();
    let said = hunt_all(pairs);
    if let Some(file) = std::env::var_os("LEAKHUNT_FIXTURES_TABLE") {
        std::fs::write(file, table(&fixtures, &interpreters, &said)).unwrap();
    }
    let wrong: Vec<String> = said
        .iter()
        .filter_map(|((module, minor), said)| {
            let said = said.as_ref().err()?;
            Some(format!("{module} on 3.{minor}: {said}"))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} are not as promised:\n{}",
        wrong.len(),
        said.len(),
        wrong.join("\n")
    );
}

#[test]
fn each_leak_has_a_twin() {
    let fixtures = fixtures();
    let names = |prefix: &str| -> Vec<String> {
        let names = fixtures
            .iter()
            .filter_map(|one| one.module.strip_prefix(prefix));
        names.map(str::to_owned).collect()
    };
    let (leaks, twins) = (names("leaky_"), names("bounded_"));
    assert!(leaks.len() >= 30, "{leaks:?}");
    for name in &leaks {
        assert!(twins.contains(name), "leaky_{name}.py has no twin");
    }
    for fixture in &fixtures {
        let is_leak = fixture.module.starts_with("leaky_");
        assert_eq!(fixture.promise != Promise::Nothing, is_leak, "{fixture:?}");
    }
}

/// The table of `docs/fixtures.md`.
fn table(fixtures: &[Fixture], interpreters: &[&Interpreter], said: &Said) -> String {
    let mut table = "| leak | what `hunt` must say |".to_owned();
    let mut line = "|---|---|".to_owned();
    for py in interpreters {
        let (_, minor, patch) = py.version;
        let _ = write!(table, " 3.{minor}.{patch} | its twin |");
        line.push_str("---|---|");
    }
    let _ = writeln!(table, "\n{line}");
    let names = fixtures
        .iter()
        .filter_map(|one| one.module.split_once('_'))
        .map(|(_, name)| name);
    let names: std::collections::BTreeSet<&str> = names.collect();
    for name in names {
        let leak = fixtures
            .iter()
            .find(|one| one.module == format!("leaky_{name}"));
        let promise = match leak.map(|leak| &leak.promise) {
            Some(Promise::Place { type_name, places }) => {
                format!("`{type_name}` held by `{}`", places[0])
            }
            Some(Promise::Garbage(type_name)) => format!("garbage of `{type_name}`"),
            Some(Promise::Native { type_name, .. }) => format!("`{type_name}` held by native code"),
            Some(Promise::NativeMemory) => "memory beside Python's objects".to_owned(),
            Some(Promise::Threads(function)) => format!("threads that run `{function}`"),
            Some(Promise::Descriptors) => "descriptors".to_owned(),
            Some(Promise::Nothing) | None => "(a twin alone)".to_owned(),
        };
        let _ = write!(table, "| `{name}` | {promise} |");
        for py in interpreters {
            for kind in ["leaky", "bounded"] {
                let key = (format!("{kind}_{name}"), py.version.1);
                let cell = match said.get(&key) {
                    Some(Ok(said)) => said.clone(),
                    Some(Err(said)) => format!("**{said}**"),
                    None => String::new(),
                };
                let _ = write!(table, " {cell} |");
            }
        }
        table.push('\n');
    }
    table
}
