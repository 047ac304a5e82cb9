use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::packages::packages;
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Start, Target, all, assert_unharmed, eventually,
    few, on_each, python3, skipped, unharmed_look,
};

/// A look as JSON at a target that is unharmed by it.
fn look(target: &mut Target, args: &[&str]) -> Value {
    unharmed_look(target, "tasks", args)
}

fn tasks(look: &Value) -> impl Iterator<Item = &Value> {
    look["tasks"].as_array().unwrap().iter()
}

fn named<'l>(look: &'l Value, name: &str) -> &'l Value {
    tasks(look)
        .find(|task| task["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {look}"))
}

fn is_over(task: &Value) -> bool {
    ["done", "failed", "cancelled"]
        .iter()
        .any(|&state| task["state"] == state)
}

/// Texts of JSON, to be compared as a set.
fn texts(values: impl IntoIterator<Item = Value>) -> BTreeSet<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// Compares what is told with what the target knows of itself.
fn assert_same_tasks(target: &mut Target, look: &Value) {
    let truth = target.eval("truth()");
    let truth: Vec<Value> = truth.as_array().unwrap().clone();
    let has_no_line = |name: &Value| name.as_str().unwrap().starts_with("stubborn");
    let told = tasks(look).filter(|task| !is_over(task)).map(|task| {
        let place = &task["chain"][0];
        let line = if has_no_line(&task["name"]) {
            &Value::Null
        } else {
            &place["line"]
        };
        json!([
            task["loop"],
            task["name"],
            place["name"],
            task["state"],
            line
        ])
    });
    let told: Vec<Value> = told.collect();
    let n_told = told.len();
    assert_eq!(texts(told), texts(truth.clone()));
    assert_eq!(n_told, truth.len());
}

#[test]
fn tasks_are_those_that_asyncio_knows_on_all_loops() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        let look = look(&mut target, &["--quick"]);
        assert_same_tasks(&mut target, &look);
        let loops = look["loops"].as_array().unwrap();
        let threads: Vec<&Value> = loops.iter().map(|one| &one["thread_name"]).collect();
        for name in ["MainThread", "another loop"] {
            assert!(threads.contains(&&json!(name)), "{loops:?}");
        }
        assert_eq!(loops.iter().filter(|one| one["closed"] == true).count(), 1);
        assert_eq!(look["n_missing"], 0, "{look}");
        target.finish_unharmed();
    });
}

#[test]
fn uvloops_tasks_are_known_too() {
    on_each(few(), |py| {
        let folder = match packages(py, &["uvloop"]) {
            Ok(folder) => folder,
            Err(reason) => return skipped(&format!("uvloop on {py}"), &reason),
        };
        let mut target = Start::new(py, "tasks")
            .arg("uvloop")
            .packages(&folder)
            .ready();
        let look = look(&mut target, &["--quick"]);
        assert_same_tasks(&mut target, &look);
        let running = look["loops"].as_array().unwrap().iter();
        let running: BTreeSet<String> = running
            .filter(|one| one["running"] == true)
            .map(|one| format!("{} {}", one["type"], one["thread_name"]))
            .collect();
        let expected = [
            "\"uvloop.Loop\" \"MainThread\"",
            "\"uvloop.Loop\" \"another loop\"",
        ];
        assert_eq!(running, expected.map(str::to_owned).into());
        target.finish_unharmed();
    });
}

#[test]
fn chains_lead_to_the_innermost_and_waiters_are_named() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        let look = look(&mut target, &["--quick"]);
        let chain = |name| -> Vec<&str> {
            let places = named(&look, name)["chain"].as_array().unwrap();
            places
                .iter()
                .map(|place| place["name"].as_str().unwrap())
                .collect()
        };
        assert_eq!(chain("take deep"), ["take_deep", "take", "Queue.get"]);
        assert_eq!(chain("iterate"), ["iterate", "ticks", "forever", "sleep"]);
        assert_eq!(chain("object"), ["await_object", "forever", "sleep"]);
        let waiters = |name: &str| -> BTreeSet<String> {
            let by = named(&look, name)["awaited_by"].as_array().unwrap();
            by.iter()
                .map(|one| format!("{} {}", one["name"], one["via"]))
                .collect()
        };
        let wait_for = if py.version < (3, 12, 0) {
            "wait_for"
        } else {
            "await"
        };
        let expected = [
            "\"join\" \"await\"".to_owned(),
            "\"python join\" \"await\"".to_owned(),
            "\"shield\" \"shield\"".to_owned(),
            format!("\"wait_for\" \"{wait_for}\""),
        ];
        assert_eq!(waiters("awaited"), expected.into());
        // Children have names of asyncio's.
        let by = |waiter: &str| -> Vec<String> {
            let waits = tasks(&look).flat_map(|task| task["awaited_by"].as_array().unwrap());
            let of_it = waits.filter(|one| one["name"] == waiter);
            let mut via: Vec<_> = of_it
                .map(|one| one["via"].as_str().unwrap().to_owned())
                .collect();
            via.sort();
            via
        };
        assert_eq!(by("gather"), ["gather"; 3]);
        assert_eq!(by("wait"), ["wait"; 2]);
        assert_eq!(by("complete"), ["as_completed"; 2]);
        if py.version >= (3, 11, 0) {
            assert_eq!(by("group"), ["TaskGroup"; 2]);
        }
        let gather = &named(&look, "gather")["waits_for"];
        assert_eq!(
            (&gather["n_children"], &gather["n_pending"]),
            (&json!(3), &json!(3))
        );
        target.finish_unharmed();
    });
}

#[test]
fn what_is_finished_or_forgotten_is_told_with_who_keeps_it() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        let look = look(&mut target, &[]);
        let over = |state: &str, name: &str| {
            let found = tasks(&look).filter(|task| task["state"] == state);
            let found = found.filter(|task| task["chain"][0]["name"] == name);
            found
                .map(|task| task["held"]["holder"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(over("done", "handle"), vec![json!("__main__.TASKS"); 12]);
        assert_eq!(over("failed", "fail"), vec![json!("__main__.TASKS"); 3]);
        assert_eq!(over("cancelled", "forever"), [json!("__main__.TASKS")]);
        let failed = tasks(&look).find(|task| task["state"] == "failed").unwrap();
        let raised = target.eval("fail.__code__.co_firstlineno + 1");
        assert_eq!(failed["exception"]["type"], "ValueError");
        assert_eq!(failed["exception"]["line"], raised);
        assert_eq!(failed["unretrieved"], true);
        assert!(
            !look.to_string().contains("a secret"),
            "what an exception says stays there"
        );
        let coroutines = look["coroutines"].as_array().unwrap();
        let mut forgotten: Vec<_> = coroutines.iter().map(|one| &one["address"]).collect();
        forgotten.sort_by_key(|address| address.as_u64());
        assert_eq!(json!(forgotten), target.eval("sorted(map(id, LATER))"));
        for one in coroutines {
            assert_eq!(
                (&one["name"], &one["held"]["holder"]),
                (&json!("send"), &json!("__main__.LATER"))
            );
        }
        let text = Leakhunt::at(target.pid, "tasks", &[])
            .run()
            .expect(0)
            .stdout;
        for line in [
            "! 12 finished tasks of handle are kept by __main__.TASKS\n",
            "were never awaited; kept by __main__.LATER\n",
            "! 2 tasks wait for each other and will not go on: ring ",
            "on a loop that is closed: it will not go on\n",
        ] {
            assert!(text.contains(line), "no {line:?} in {text}");
        }
        target.finish_unharmed();
    });
}

#[test]
fn where_a_task_was_made_is_known_in_debug_mode() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        let look = look(&mut target, &["--quick"]);
        let other = target.eval("id(loops[-1])");
        let of_other: Vec<&Value> = tasks(&look).filter(|task| task["loop"] == other).collect();
        assert_eq!(of_other.len(), 5, "{of_other:?}");
        for task in of_other {
            assert_ne!(task["created_at"], json!([]), "{task}");
        }
        let line = target.eval("run_another_loop.__code__.co_firstlineno + 3");
        let made = |task: &&Value| {
            let frames = task["created_at"].as_array().unwrap().last();
            frames.is_some_and(|frame| {
                frame["line"] == line && frame["function"] == "run_another_loop"
            })
        };
        assert_eq!(tasks(&look).filter(made).count(), 1, "{look}");
        target.finish_unharmed();
    });
}

#[test]
fn ha_lines_are_those_that_home_assistant_would_log() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        let before = Fingerprint::of(&mut target);
        let done = Leakhunt::at(target.pid, "tasks", &["--format", "ha"])
            .run()
            .expect(0);
        assert_unharmed(&before, &mut target);
        let mut told: Vec<&str> = done.stdout.lines().collect();
        told.sort_unstable();
        let expected = target.eval("sorted(logged())");
        let expected: Vec<String> = serde_json::from_value(expected).unwrap();
        assert_eq!(told, expected);
        target.finish_unharmed();
    });
}

/// The tasks of a tree, each with the one above it. `marks` stands before each task's name.
fn edges(tree: &str, name_of: impl Fn(&str) -> Option<String>) -> BTreeSet<(String, String)> {
    let mut way: Vec<(usize, String)> = Vec::new();
    let mut edges = BTreeSet::new();
    for line in tree.lines() {
        let Some(at) = line.find("── ") else {
            continue;
        };
        let depth = line[..at].chars().count();
        way.retain(|&(above, _)| above < depth);
        if let Some(name) = name_of(&line[at + "── ".len()..]) {
            let above = way
                .last()
                .map_or_else(String::new, |(_, name)| name.clone());
            edges.insert((above, name.clone()));
            way.push((depth, name));
        }
    }
    edges
}

#[test]
fn the_tree_is_that_of_asyncios_own_tool() {
    let has_tool = |py: &&Interpreter| py.version >= (3, 14, 0) && !py.free_threaded;
    let with_tool: Vec<&Interpreter> = all().iter().filter(has_tool).collect();
    if with_tool.is_empty() {
        return skipped(
            "comparison with `python -m asyncio pstree`",
            "no CPython >= 3.14",
        );
    }
    on_each(with_tool, |py| {
        let target = Start::new(py, "tasks").arg("plain").ready();
        let mut tool: Command = py.command();
        tool.args(["-m", "asyncio", "pstree", &target.pid.to_string()]);
        let answer = tool.output().unwrap();
        let tree = String::from_utf8_lossy(&answer.stdout);
        if !answer.status.success() || !tree.contains("(T)") {
            let reason = String::from_utf8_lossy(&answer.stderr);
            let reason = reason
                .lines()
                .last()
                .unwrap_or("it says nothing")
                .to_owned();
            return skipped(&format!("asyncio pstree on {py}"), &reason);
        }
        let expected = edges(&tree, |text| {
            text.strip_prefix("(T) ").map(|name| name.trim().to_owned())
        });
        let args = ["--tree", "--limit", "0"];
        let done = Leakhunt::at(target.pid, "tasks", &args).run().expect(0);
        let found = edges(&done.stdout, |text| {
            let text = text
                .split_once("] ")
                .filter(|_| text.starts_with('['))
                .map_or(text, |(_, rest)| rest);
            let end = ["waiting", "ready", "running", "(above)"]
                .iter()
                .find_map(|state| text.find(&format!(" {state}")));
            end.map(|end| text[..end].to_owned())
        });
        // The tool does not know what tasks in Python wait for.
        let is_known =
            |edge: &&(String, String)| !edge.0.contains("python") && !edge.1.contains("python");
        let known = |all: &BTreeSet<_>| {
            all.iter()
                .filter(is_known)
                .cloned()
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(known(&found), known(&expected), "{}\n{tree}", done.stdout);
        assert!(known(&expected).len() > 15, "{tree}");
        target.finish_unharmed();
    });
}

#[test]
fn a_task_whose_repr_hangs_costs_no_other_task() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        target.exec(
            "class Hanging(asyncio.Task):
    def __repr__(self):
        while True: pass
    get_name = get_coro = done = cancelled = __repr__
    _coro = __class__ = property(__repr__)
kept.append(Hanging(forever(), loop=loops[0], name='hanging'))",
        );
        let before = Fingerprint::of(&mut target);
        let done = Leakhunt::at(target.pid, "tasks", &["--json", "--quick"])
            .run()
            .expect(0);
        let look = done.json();
        assert_eq!(named(&look, "hanging")["chain"][0]["name"], "forever");
        assert_eq!(named(&look, "take")["state"], "waiting");
        let done = Leakhunt::at(target.pid, "tasks", &["--format", "ha"])
            .run()
            .expect(0);
        assert!(done.stdout.contains("name='take'"), "{done:?}");
        assert!(
            !done.stdout.contains("name='hanging'")
                && done.stderr.contains("of 1 nothing, or not all"),
            "{done:?}"
        );
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn new_tasks_are_marked_and_growing_groups_are_told() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        let args = ["--json", "--quick", "--interval", "1"];
        let mut running = Leakhunt::at(target.pid, "tasks", &args).start();
        let first: Value = serde_json::from_str(&running.line()).unwrap();
        assert!(tasks(&first).all(|task| task["is_new"] == false && task["seen_seconds"] == 0.0));
        target.exec("for n in range(7): start(take(asyncio.Queue()), 'late %d' % n)");
        let grown = loop {
            let look: Value = serde_json::from_str(&running.line()).unwrap();
            if tasks(&look).any(|task| task["name"] == "late 6" && task["state"] == "waiting") {
                break look;
            }
        };
        let new: Vec<_> = tasks(&grown)
            .filter(|task| task["is_new"] == true)
            .collect();
        assert!(
            new.iter()
                .all(|task| task["name"].as_str().unwrap().starts_with("late")),
            "{new:?}"
        );
        assert!(named(&grown, "take")["seen_seconds"].as_f64().unwrap() > 0.0);
        let groups = grown["groups"].as_array().unwrap();
        let group = groups
            .iter()
            .find(|group| group["coroutine"] == "__main__.take")
            .unwrap();
        assert_eq!(group["count"], 8, "{group}");
        running.signal(libc::SIGINT);
        running.end(LIMIT).expect(0);
        target.finish_unharmed();
    });
}

#[test]
fn tasks_that_run_or_are_told_to_end_are_known_as_such() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "tasks");
        target.exec(
            "import time
async def busy():
    while True: time.sleep(0.01)
async def unwilling():
    try: await forever()
    except asyncio.CancelledError: await forever()
# It is to begin before it is told to end.
loops[0].call_later(0.2, start(unwilling(), 'unwilling').cancel)
busy_thread = threading.Thread(target=lambda: asyncio.new_event_loop().run_until_complete(busy()), daemon=True)
busy_thread.start()",
        );
        let state = |name: &str, wanted: &str| {
            let found = eventually(LIMIT, || {
                let done = Leakhunt::at(target.pid, "tasks", &["--json", "--quick"]).run();
                let look = done.expect(0).json();
                let all = tasks(&look);
                let mut of_it = all.filter(|task| task["chain"][0]["name"] == name);
                (of_it.next()?["state"] == wanted).then_some(())
            });
            assert!(found.is_some(), "{name} is not {wanted}");
        };
        state("busy", "running");
        let is_kept = py.version >= (3, 11, 0);
        state("unwilling", if is_kept { "cancelling" } else { "waiting" });
        target.finish_unharmed();
    });
}

#[test]
fn a_target_that_goes_away_ends_the_looks() {
    let target = Target::start(python3(), "tasks");
    let args = ["--json", "--quick", "--interval", "1"];
    let mut running = Leakhunt::at(target.pid, "tasks", &args).start();
    running.line();
    target.finish_unharmed();
    running.end(LIMIT).expect(4);
}

#[test]
fn options_choose_what_is_shown() {
    let target = Target::start(python3(), "tasks");
    let run = |args: &[&str]| {
        Leakhunt::at(target.pid, "tasks", args)
            .run()
            .expect(0)
            .stdout
    };
    let text = run(&["--quick", "--match", "take_deep"]);
    assert!(text.contains(": 1 task (1 waiting)"), "{text}");
    assert!(
        text.contains("__main__.take_deep") && !text.contains("__main__.iterate"),
        "{text}"
    );
    let text = run(&["--quick", "--stacks", "--match", "take deep"]);
    let text: Vec<&str> = text.lines().collect();
    assert!(
        text.iter()
            .any(|line| line.starts_with("    asyncio.queues.Queue.get  /")),
        "{text:?}"
    );
    let limited = run(&["--quick", "--limit", "2"]);
    assert!(
        limited.contains("groups not shown; --limit 0 shows all"),
        "{limited}"
    );
    let lines = run(&["--format", "ha", "--limit", "2"]);
    assert_eq!(lines.lines().count(), 2, "{lines}");
}

#[test]
fn twenty_thousand_tasks_are_counted_and_folded() {
    let mut target = Target::start(python3(), "tasks");
    target.exec(
        "many = asyncio.Event()
async def of_many(): await many.wait()
async def all_of_them(): await asyncio.gather(*[of_many() for _ in range(10000)])
for _ in range(10000): start(of_many())
start(all_of_them(), 'all')",
    );
    // They begin when the loop comes round to them.
    let args = ["--json", "--quick", "--match", "__main__.of_many"];
    let waiting = eventually(Duration::from_secs(60), || {
        let look = Leakhunt::at(target.pid, "tasks", &args)
            .run()
            .expect(0)
            .json();
        let group = &look["groups"][0];
        (group["count"] == 20_000 && group["state"] == "waiting").then_some(look)
    });
    let look = waiting.expect("20,000 tasks that wait");
    assert_eq!(
        tasks(&look)
            .filter(|task| task["awaited_by"] != json!([]))
            .count(),
        10_000
    );
    let args = ["--tree", "--quick", "--match", "of_many|all_of_them"];
    let text = Leakhunt::at(target.pid, "tasks", &args)
        .run()
        .expect(0)
        .stdout;
    assert!(text.contains("[gather] … 9,997 more like "), "{text}");
    assert!(text.lines().count() < 20, "{text}");
    target.finish_unharmed();
}

#[test]
fn a_process_without_tasks_is_told_so() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        Leakhunt::at(target.pid, "tasks", &[])
            .run()
            .expect(1)
            .expect_stderr("it has not loaded asyncio");
        assert_unharmed(&before, &mut target);
        target.exec("import asyncio; loop = asyncio.new_event_loop()");
        Leakhunt::at(target.pid, "tasks", &[])
            .run()
            .expect(1)
            .expect_stderr("it has 1 event loop");
        target.finish_unharmed();
    });
    Leakhunt::at(u32::MAX >> 2, "tasks", &[]).run().expect(3);
}
