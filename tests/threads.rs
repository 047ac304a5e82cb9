use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::packages::packages;
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Start, Target, all, assert_unharmed, eventually,
    few, on_each, python3, skipped,
};

/// Both ways to look.
const WAYS: [&[&str]; 2] = [&[], &["--outside"]];

/// The file whose threads wait at known places.
fn places() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/known_places.py")
}

/// A target with such threads, once all have come to where they wait.
fn waiting(py: &Interpreter) -> Target {
    let mut target = Start::new(py, "waiting_threads")
        .arg(places().to_str().unwrap())
        .ready();
    let mut last = Value::Null;
    let settled = eventually(LIMIT, || {
        let now = target.eval("stacks()[1:]");
        let is_settled = now == last;
        last = now;
        is_settled.then_some(())
    });
    assert!(settled.is_some(), "{target:?} does not come to rest");
    target
}

fn skips(py: &Interpreter) -> bool {
    if !py.sees_our_files() {
        skipped(&format!("threads of {py}"), "it does not see our files");
        return true;
    }
    false
}

/// Checks a claim on such a target of each interpreter that can have one.
fn on_each_waiting<'a>(
    interpreters: impl IntoIterator<Item = &'a Interpreter>,
    claim: impl Fn(&Interpreter, &mut Target),
) {
    on_each(interpreters, |py| {
        if skips(py) {
            return;
        }
        let mut target = waiting(py);
        claim(py, &mut target);
        target.finish_unharmed();
    });
}

/// The one line of JSON of a look.
fn look(pid: u32, args: &[&str]) -> Value {
    let done = Leakhunt::at(pid, "threads", args)
        .arg("--json")
        .run()
        .expect(0);
    serde_json::from_str(&done.stdout).unwrap()
}

fn named<'a>(look: &'a Value, name: &str) -> &'a Value {
    let threads = look["threads"].as_array().unwrap();
    let found = threads.iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no thread {name:?} in {look}"))
}

/// File, line and function of each frame, newest first.
fn frames(thread: &Value) -> Vec<Value> {
    let stack = thread["stack"].as_array().unwrap();
    stack
        .iter()
        .map(|one| json!([one["file"], one["line"], one["name"]]))
        .collect()
}

#[test]
fn stacks_and_names_are_those_of_the_target() {
    on_each_waiting(all(), |_, target| {
        let expected = target.eval("stacks()");
        let expected = expected.as_array().unwrap();
        for way in WAYS {
            let look = look(target.pid, way);
            let source = if way.is_empty() { "agent" } else { "outside" };
            assert_eq!(look["source"], source, "{way:?}");
            let names = |all: &[Value]| {
                all.iter()
                    .map(|one| one["name"].clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(
                names(look["threads"].as_array().unwrap()),
                names(expected),
                "{way:?}"
            );
            for (index, one) in expected.iter().enumerate() {
                let found = named(&look, one["name"].as_str().unwrap());
                for field in ["ident", "native_id", "daemon"] {
                    assert_eq!(found[field], one[field], "{field} {way:?}: {found}");
                }
                assert_eq!(found["torn"], false, "{way:?}: {found}");
                // The main thread answers us, and waits for more afterwards.
                if index > 0 {
                    assert_eq!(json!(frames(found)), one["frames"], "{way:?}: {one}");
                }
            }
        }
    });
}

#[test]
fn what_each_thread_waits_for_is_told() {
    on_each_waiting(all(), |py, target| {
        for way in WAYS {
            let look = look(target.pid, way);
            for (name, waits_for) in [
                ("plain first", "lock"),
                ("event é", "lock"),
                ("select", "poll"),
                ("sleep", "sleep"),
                ("method", "lock"),
            ] {
                let thread = named(&look, name);
                assert_eq!(thread["waits_for"], waits_for, "{way:?}: {thread}");
                let holds_gil = if py.free_threaded {
                    Value::Null
                } else {
                    json!(false)
                };
                assert_eq!(thread["holds_gil"], holds_gil, "{way:?}: {thread}");
            }
            for (name, target) in [
                ("plain first", json!("__main__.plain_first")),
                ("sleep", json!("time.sleep")),
                ("method", json!("__main__.Method.wait")),
                ("worker", json!("__main__.Worker.run")),
                ("pool_0", json!("concurrent.futures.thread._worker")),
                ("MainThread", Value::Null),
            ] {
                assert_eq!(named(&look, name)["target"], target, "{way:?}: {name}");
            }
        }
    });
}

#[test]
fn threads_that_wait_for_each_other_are_named() {
    on_each_waiting(all(), |_, target| {
        for way in WAYS {
            let look = look(target.pid, way);
            let (one, other) = (named(&look, "plain first"), named(&look, "reentrant first"));
            for (thread, kind, holder) in [(one, "rlock", other), (other, "lock", one)] {
                assert_eq!(thread["deadlocked"], true, "{way:?}: {thread}");
                assert_eq!(thread["lock"]["kind"], kind, "{way:?}: {thread}");
                assert_eq!(
                    thread["lock"]["holder"], holder["ident"],
                    "{way:?}: {thread}"
                );
            }
            let threads = look["threads"].as_array().unwrap();
            let n_locked = threads
                .iter()
                .filter(|one| one["deadlocked"] == true)
                .count();
            assert_eq!(n_locked, 2, "{way:?}: {look}");
            let text = Leakhunt::at(target.pid, "threads", way)
                .run()
                .expect(0)
                .stdout;
            let id = |thread: &Value| thread["native_id"].to_string();
            let line = format!(
                "  plain first ({}) waits for an RLock that reentrant first ({}) has\n",
                id(one),
                id(other)
            );
            assert!(text.contains("\ndeadlock:\n"), "{text}");
            assert!(text.contains(&line), "{line:?} in {text}");
        }
    });
}

#[test]
fn the_lines_of_home_assistant_are_those_of_traceback() {
    on_each_waiting(all(), |_, target| {
        let expected = target.eval("stacks()[1:]");
        let lines = |is_kept: &dyn Fn(&str) -> bool| -> String {
            let threads = expected.as_array().unwrap().iter();
            threads
                .filter(|one| is_kept(one["name"].as_str().unwrap()))
                .map(|one| {
                    let (name, text) = (one["name"].as_str(), one["text"].as_str());
                    format!("Thread [{}]: {}\n", name.unwrap(), text.unwrap())
                })
                .collect()
        };
        for way in WAYS {
            let ha = Leakhunt::at(target.pid, "threads", way).args(&["--format", "ha"]);
            assert_eq!(ha.run().expect(0).stdout, lines(&|_| true), "{way:?}");
        }
        let limited = ["--format", "ha", "--match", "recursive"];
        let some = Leakhunt::at(target.pid, "threads", &limited)
            .run()
            .expect(0);
        assert_eq!(some.stdout, lines(&|name| name == "recursive"));
        assert!(
            some.stdout.contains("[Previous line repeated"),
            "{}",
            some.stdout
        );
        let main = Leakhunt::at(target.pid, "threads", &["--format", "ha", "--main"]);
        let main = main.run().expect(0).stdout;
        assert!(
            main.starts_with("Thread [MainThread]: File \"<string>\""),
            "{main}"
        );
    });
}

#[test]
fn values_of_variables_are_told_where_they_are_asked_for() {
    on_each_waiting(few(), |_, target| {
        for way in WAYS {
            let place = |look: &Value| -> Value {
                let stack = named(look, "event é")["stack"].as_array().unwrap().clone();
                let found = stack.into_iter().find(|one| one["name"] == "for_an_event");
                found.unwrap()
            };
            let look_with = look(target.pid, &[way, &["--locals"]].concat());
            let locals = &place(&look_with)["locals"];
            assert_eq!(locals["number"], "12", "{way:?}: {locals}");
            assert!(
                locals["text"].as_str().unwrap().contains("it's"),
                "{way:?}: {locals}"
            );
            assert_eq!(locals["known_list"], "<list of 2>", "{way:?}: {locals}");
            let without = look(target.pid, way);
            assert_eq!(place(&without)["locals"], Value::Null, "{way:?}");
        }
    });
}

#[test]
fn a_target_that_never_lets_go_of_the_gil_is_read_from_outside() {
    on_each(few(), |py| {
        if py.free_threaded {
            return skipped(&format!("the GIL of {py}"), "it has none");
        }
        let target = Target::start(py, "never_lets_go");
        let check = |look: &Value| {
            assert_eq!(
                (&look["source"], &look["gil"]),
                (&json!("outside"), &json!("held"))
            );
            let main = named(look, "MainThread");
            assert_eq!(main["holds_gil"], true, "{main}");
            let functions: Vec<_> = main["stack"].as_array().unwrap().iter().collect();
            assert!(functions.iter().any(|one| one["name"] == "keep"), "{main}");
            assert_eq!(named(look, "beside")["waits_for"], "lock", "{look}");
            let n_threads = look["threads"].as_array().unwrap().len();
            assert_eq!(n_threads, 2, "no thread of ours: {look}");
        };
        check(&look(target.pid, &["--outside"]));
        let done = Leakhunt::at(target.pid, "threads", &["--json", "--timeout", "1s"]);
        let done = done.run().expect(0);
        check(&serde_json::from_str(&done.stdout).unwrap());
        assert!(
            done.stderr.contains("read from outside, without an agent"),
            "{done:#?}"
        );
    });
}

#[test]
fn a_stopped_target_is_read_from_outside_and_stays_stopped() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        target.stop();
        let look = look(target.pid, &[]);
        assert_eq!(look["source"], "outside", "{look}");
        let main = named(&look, "MainThread");
        assert_eq!(main["waits_for"], "stopped", "{main}");
        let names: Vec<_> = frames(main).into_iter().map(|one| one[2].clone()).collect();
        assert!(
            names.ends_with(&[json!("serve"), json!("<module>")]),
            "{main}"
        );
        assert!(target.is_stopped(), "it is still stopped");
        target.resume();
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn stacks_that_are_read_while_they_change_make_sense() {
    /// Functions that the threads of the target are ever in.
    const KNOWN: [&str; 9] = [
        "work",
        "<listcomp>",
        "<dictcomp>",
        "run",
        "_bootstrap",
        "_bootstrap_inner",
        "<module>",
        "poll",
        "_wait_for_tstate_lock",
    ];
    on_each(few(), |py| {
        let mut target = Target::start(py, "threads");
        let before = Fingerprint::of(&mut target);
        for _ in 0..5 {
            let look = look(target.pid, &["--outside"]);
            for index in 0..20 {
                let worker = named(&look, &format!("worker-{index}"));
                assert_eq!(worker["target"], "__main__.work", "{worker}");
                let frames = frames(worker);
                assert!(!frames.is_empty(), "{worker}");
                for frame in frames {
                    let name = frame[2].as_str().unwrap();
                    assert!(KNOWN.contains(&name), "{name:?} of {worker}");
                }
            }
            let threads = look["threads"].as_array().unwrap();
            let n_holders = threads
                .iter()
                .filter(|one| one["holds_gil"] == true)
                .count();
            assert!(n_holders <= 1, "{look}");
        }
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn the_target_is_unharmed_by_both_ways() {
    on_each(few(), |py| {
        for kind in [
            "idle",
            "busy_python",
            "busy_regex",
            "threads",
            "asyncio_server",
            "fork_loop",
        ] {
            let mut target = Target::start(py, kind);
            let before = Fingerprint::of(&mut target);
            for way in WAYS {
                for depth in ["--locals", "--short", "--all"] {
                    Leakhunt::at(target.pid, "threads", way)
                        .arg(depth)
                        .run()
                        .expect(0);
                }
            }
            assert_unharmed(&before, &mut target);
            target.finish_unharmed();
        }
    });
}

#[test]
fn new_threads_are_marked_and_their_group_grows() {
    for way in WAYS {
        let mut target = waiting(python3());
        let mut running = Leakhunt::at(target.pid, "threads", way)
            .args(&["--json", "--interval", "1s", "--count", "2"])
            .start();
        let first: Value = serde_json::from_str(&running.line()).unwrap();
        let threads = first["threads"].as_array().unwrap();
        assert!(threads.iter().all(|one| one["is_new"] == false), "{first}");
        target.exec("for i in range(3): start(in_select, 'added-%d' % i)");
        let second: Value = serde_json::from_str(&running.line()).unwrap();
        let new = second["threads"].as_array().unwrap().iter();
        let new: Vec<_> = new.filter(|one| one["is_new"] == true).collect();
        assert_eq!(new.len(), 3, "{way:?}: {second}");
        let groups = second["groups"].as_array().unwrap();
        let group = groups
            .iter()
            .find(|one| one["name"] == "__main__.in_select");
        assert_eq!(
            group.unwrap(),
            &json!({"name": "__main__.in_select", "count": 4, "delta": 3}),
            "{way:?}"
        );
        running.end(LIMIT).expect(0);
        target.finish_unharmed();
    }
}

#[test]
fn what_cannot_be_looked_at_is_told_with_its_reason() {
    let refused = |pid: u32, message: &str| {
        let done = Leakhunt::at(pid, "threads", &["--outside"]).run().expect(3);
        assert_eq!(done.stdout, "");
        assert!(done.stderr.contains(message), "{message:?} in {done:#?}");
    };
    refused(4_194_305, "process 4194305 does not exist");
    let mut sleep = Command::new("sleep")
        .arg("600")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let message = format!("process {} (sleep) is not a CPython process", sleep.id());
    let looked = std::panic::catch_unwind(|| refused(sleep.id(), &message));
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    looked.unwrap();
}

#[test]
fn stacks_are_those_of_py_spy() {
    let folder = match packages(python3(), &["py-spy==0.4.1"]) {
        Ok(folder) => folder,
        Err(why) => return skipped("the comparison with py-spy", &why),
    };
    on_each_waiting(few(), |py, target| {
        let mut spy = Command::new(folder.join("bin/py-spy"));
        spy.args(["dump", "--json", "--pid", &target.pid.to_string()]);
        let done = spy.output().unwrap();
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr).into_owned();
            return skipped(&format!("py-spy on {py}"), &why);
        }
        let theirs: Value = serde_json::from_slice(&done.stdout).unwrap();
        let look = look(target.pid, &["--outside"]);
        let mut n_compared = 0;
        for spied in theirs.as_array().unwrap() {
            let Some(name) = spied["thread_name"].as_str() else {
                continue;
            };
            let thread = named(&look, name);
            let spied = spied["frames"].as_array().unwrap().iter();
            let spied: Vec<_> = spied
                .map(|one| json!([one["filename"], one["line"], last_part(&one["name"])]))
                .collect();
            let own: Vec<_> = frames(thread)
                .into_iter()
                .map(|one| json!([one[0], one[1], last_part(&one[2])]))
                .collect();
            assert_eq!(own, spied, "{name}");
            n_compared += 1;
        }
        assert!(n_compared >= 10, "{theirs}");
    });
}

/// py-spy may tell the qualified name.
fn last_part(name: &Value) -> &str {
    let name = name.as_str().unwrap();
    name.rsplit('.').next().unwrap_or(name)
}
