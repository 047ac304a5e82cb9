use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::packages::objgraph_source;
use crate::support::{
    Interpreter, LIMIT, Leakhunt, Running, Start, Target, all, few, on_each, python3, skipped,
};

/// A run of `sources` that is stopped while the target takes a step.
struct Steps {
    running: Running,
    /// The lines of the first look.
    first: Vec<String>,
}

impl Steps {
    /// Starts it and waits for what it prints of the first look.
    fn start(target: &Target, options: &[&str], last_line: &str) -> Self {
        let options = [&["--interval", "1"], options].concat();
        let running = Leakhunt::at(target.pid, "sources", &options).start();
        let first = Vec::new();
        let mut steps = Self { running, first };
        steps.first = steps.wait(last_line);
        steps
    }

    /// The lines up to one that starts with `last_line`; then it is stopped.
    fn wait(&mut self, last_line: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.running.line();
            let is_last = line.starts_with(last_line);
            lines.push(line);
            if is_last {
                self.running.signal(libc::SIGSTOP);
                return lines;
            }
        }
    }

    /// One more look.
    fn look(&mut self, last_line: &str) -> Vec<String> {
        self.running.signal(libc::SIGCONT);
        self.wait(last_line)
    }

    fn end(self) {
        self.running.signal(libc::SIGCONT);
        self.running.signal(libc::SIGINT);
        self.running.end(LIMIT).expect(0);
    }
}

/// What `sources --json` says of what the target does in one step.
fn grown(target: &mut Target, options: &[&str], step: &str) -> Value {
    let options = [&["--format", "json", "--limit", "0"], options].concat();
    let mut steps = Steps::start(target, &options, "{");
    target.eval(step);
    let line = steps.look("{").remove(0);
    steps.end();
    serde_json::from_str(&line).unwrap()
}

fn objects(look: &Value) -> impl Iterator<Item = &Value> {
    look["objects"].as_array().unwrap().iter()
}

/// Places that no expression leads to: what only a frame has, and what a cache keeps for itself.
const WITHOUT_EXPRESSION: [&str; 3] = ["frame", "lru", "at_exit"];

#[test]
fn each_place_is_named_by_a_path_that_leads_to_the_object() {
    on_each(all().iter().filter(|py| !py.free_threaded), |py| {
        let mut target = Target::start(py, "named_places");
        target.eval("grow(0, 3)");
        let look = grown(&mut target, &["--max", "3"], "grow(3, 3)");
        let places = target.eval("PLACES");
        let holders = target.eval("holders()");
        let may_lack_one = |place: &str| WITHOUT_EXPRESSION.contains(&place);
        let mut wrong = Vec::new();
        for place in places.as_array().unwrap() {
            let place = place.as_str().unwrap();
            let key = format!("__main__.In_{place}");
            let found: Vec<_> = objects(&look).filter(|one| one["type"] == *key).collect();
            if found.len() != 3 {
                wrong.push(format!("{place}: {} objects of 3", found.len()));
            }
            for one in found {
                let Some(path) = one["path"].as_str() else {
                    wrong.push(format!("{place}: no path"));
                    continue;
                };
                if one["evaluates"] == json!(true) {
                    let at = target.eval(&format!("at({})", json!(path)));
                    if at != one["address"] {
                        wrong.push(format!("{place}: {path} is {at}"));
                    }
                } else if !may_lack_one(place) {
                    wrong.push(format!("{place}: {path} cannot be evaluated"));
                }
                let named = &one["holder"]["name"];
                let expected = holders.get(place).unwrap_or(named);
                if named.is_null() || named != expected {
                    wrong.push(format!("{place}: {named}, not {expected}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        target.finish_unharmed();
    });
}

#[test]
fn a_trace_names_the_line_that_made_an_object() {
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        let mut target = Target::start(py, "named_places");
        target.exec("import linecache, tracemalloc");
        target.eval("grow(0, 3)");
        let look = grown(&mut target, &["--trace", "--max", "3"], "grow(3, 3)");
        let line = target
            .eval("add.__code__.co_firstlineno + 1")
            .as_u64()
            .unwrap();
        let made_at = format!("<string>:{line}");
        let of_places: Vec<_> = objects(&look)
            .filter(|one| one["type"].as_str().unwrap().starts_with("__main__.In_"))
            .collect();
        assert!(of_places.len() > 20, "{look}");
        // A collection may put what stands in tuples in front of what is older.
        let is_in_order = |one: &&Value| one["type"] != "__main__.In_chain";
        for one in of_places.into_iter().filter(is_in_order) {
            let frames = one["made_at"].as_array().unwrap();
            assert_eq!(frames[0], json!(made_at), "{one}");
        }
        assert_eq!(target.eval("tracemalloc.is_tracing()"), json!(false));
        target.finish_unharmed();
    });
}

/// The fixtures that leak: the type that grows, and what the name of its holder contains.
const LEAKS: [(&str, &str, &str); 9] = [
    ("shop", "Template", "RENDER_CACHE"),
    ("audit", "Record", "Audit.records"),
    ("counter", "Call", "price.__closure__"),
    ("listeners", "Session", "BUS.listeners"),
    ("report", "Report", "Report.total"),
    ("tasks", "Request", "PENDING"),
    ("registry", "Seat", "REGISTRY"),
    ("breadcrumbs", "Crumb", "breadcrumbs"),
    ("drawers", "Receipt", "drawers"),
];

/// A fixture at work in a thread, past what fills once.
fn fixture(py: &Interpreter, name: &str) -> Target {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/python-fixtures");
    let mut target = Start::new(py, "fixture_host").arg(folder).arg(name).ready();
    target.eval("start(3600)");
    target
}

/// The last of three looks with a second between them.
fn third_look(target: &Target) -> Value {
    let options = ["--interval", "1", "--count", "3", "--format", "json"];
    let sources = Leakhunt::at(target.pid, "sources", &options);
    let looks = sources.run().expect(0).json_lines();
    looks.into_iter().next_back().expect("a line for each look")
}

#[test]
fn each_leaking_fixture_is_named_first() {
    let mut wrong = Vec::new();
    for (name, leaked, holder) in LEAKS {
        let module = format!("leaky_{name}");
        let target = fixture(python3(), &module);
        let look = third_look(&target);
        let first = objects(&look).next().cloned().unwrap_or_default();
        let named = first["holder"]["name"].as_str().unwrap_or_default();
        let path = first["path"].as_str().unwrap_or_default();
        if first["type"] != format!("{module}.{leaked}") {
            wrong.push(format!("{module}: {} is first", first["type"]));
        } else if !named.contains(holder) && !path.contains(holder) {
            wrong.push(format!("{module}: held by {named} at {path}, not {holder}"));
        }
        target.finish_unharmed();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_said_of_the_twins() {
    let mut wrong = Vec::new();
    for (name, ..) in LEAKS {
        let module = format!("bounded_{name}");
        let target = fixture(python3(), &module);
        let look = third_look(&target);
        if objects(&look).next().is_some() {
            wrong.push(format!("{module}: {}", look["objects"]));
        }
        target.finish_unharmed();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Name, remembered count and count of each object that is reported, and how many of each name are not.
type Report = (Vec<(String, u64, u64)>, BTreeMap<String, u64>);

/// What `--format ha` prints at one look.
fn report(lines: &[String]) -> Report {
    let mut report = Report::default();
    for line in lines {
        if let Some(rest) = line.strip_prefix("New object ") {
            let (name, rest) = rest.split_once(" (").unwrap();
            let (counts, rest) = rest.split_once(") at ").unwrap();
            let (old, new) = counts.split_once('/').unwrap();
            assert!(rest.contains(": "), "a location and a repr: {line}");
            let (old, new) = (old.parse().unwrap(), new.parse().unwrap());
            report.0.push((name.to_owned(), old, new));
        } else if let Some(dict) = line.strip_prefix("New objects overflowed by ") {
            report.1 = serde_json::from_str(&dict.replace('\'', "\"")).unwrap();
        }
    }
    report
}

#[test]
fn home_assistants_algorithm_reports_the_same() {
    let source = match objgraph_source() {
        Ok(source) => source,
        Err(reason) => return skipped("Home Assistant's algorithm", &reason),
    };
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        let mut target = Target::start(py, "ha_sources");
        target.exec(&format!("load_objgraph({})", json!(source)));
        target.eval("step(5)");
        // Its own types alone: the slots would go to what the interpreter has otherwise.
        let options = ["--rank", "gc", "--format", "ha", "--max", "6", "--match"];
        let options = [&options[..], &["^__main__\\.(Kept|Also|Shrinking)$"]].concat();
        let mut steps = Steps::start(&target, &options, "New objects overflowed");
        for step in [0, 20, 14] {
            if step > 0 {
                target.eval(&format!("step({step})"));
            }
            let lines = match step {
                0 => steps.first.clone(),
                _ => steps.look("New objects overflowed"),
            };
            let expected: Report = serde_json::from_value(target.eval("sources(6)")).unwrap();
            let found = report(&lines);
            assert_eq!(found, expected, "after step({step}): {lines:?}");
            let names: BTreeSet<_> = found.0.iter().map(|row| &row.0).collect();
            assert!(!names.is_empty(), "something is reported");
        }
        steps.end();
        target.finish_unharmed();
    });
}
