use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::packages::packages;
use crate::support::{
    Fingerprint, Finished, Interpreter, Leakhunt, Start, Target, all, assert_unharmed, few,
    on_each, python3, skipped,
};

/// A runtime folder of a test's own, removed with it.
struct Runtime(PathBuf);

impl Runtime {
    fn new(target: &Target) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("runtime-{}", target.pid));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn records(&self) -> usize {
        let records = std::fs::read_dir(self.0.join("leakhunt"));
        records.map_or(0, Iterator::count)
    }

    fn run(&self, target: &Target, args: &[&str]) -> Finished {
        Leakhunt::at(target.pid, "asyncio-debug", args)
            .env("XDG_RUNTIME_DIR", self.0.to_str().unwrap())
            .run()
    }

    fn json(&self, target: &Target, args: &[&str]) -> Value {
        self.run(target, &[args, &["--json"]].concat())
            .expect(0)
            .json()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn finish(mut target: Target) {
    target.exec("stop()");
    target.finish_unharmed();
}

/// Two loops in threads; one has a task, the other none.
fn two_loops(interpreter: &Interpreter) -> Target {
    let mut target = Target::start(interpreter, "loops");
    target.exec("one, two = start_loop(), start_loop()");
    target.exec("sleep_in(one, 1000); two.slow_callback_duration = 0.25");
    target
}

#[test]
fn on_sets_every_loop_and_off_restores_what_was() {
    on_each(all(), |py| {
        let mut target = two_loops(py);
        let runtime = Runtime::new(&target);
        let before = Fingerprint::of(&mut target);
        let state = target.eval("debug_state()");
        let document = runtime.json(&target, &["on", "--slow", "50ms"]);
        assert_eq!(document["root_level_before"], 30, "{document:#}");
        let changed: Vec<_> = document["loops"].as_array().unwrap().iter().collect();
        assert!(
            changed.iter().all(|one| one["changed"] == true),
            "{document:#}"
        );
        let on = target.eval("debug_state()");
        assert_eq!(on["debug"], json!([true, true]));
        assert_eq!(on["slow"], json!([0.05, 0.05]));
        assert_eq!(on["root"], 20);
        let origins = on["origins"].as_array().unwrap();
        assert!(origins.iter().all(|depth| depth.as_i64() > Some(0)), "{on}");
        let status = runtime.json(&target, &["status"]);
        assert_eq!(status["root_level"], 20);
        let modes = status["loops"].as_array().unwrap().iter();
        let modes: Vec<_> = modes.map(|one| &one["debug"]).collect();
        assert_eq!(modes, [true, true], "{status:#}");
        // A second `on` must not take this for what was before.
        runtime.json(&target, &["on"]);
        assert_eq!(runtime.records(), 1);
        runtime.json(&target, &["off"]);
        assert_eq!(target.eval("debug_state()"), state);
        assert_eq!(runtime.records(), 0);
        assert_unharmed(&before, &mut target);
        finish(target);
    });
}

#[test]
fn status_is_what_loops_and_loggers_say_and_changes_nothing() {
    on_each(few(), |py| {
        let mut target = two_loops(py);
        target.exec("two.set_debug(True); logging.getLogger().setLevel(35); settle(two)");
        let runtime = Runtime::new(&target);
        let before = Fingerprint::of(&mut target);
        let state = target.eval("debug_state()");
        let document = runtime.json(&target, &["status"]);
        assert_unharmed(&before, &mut target);
        assert_eq!(target.eval("debug_state()"), state);
        assert_eq!(document["root_level"], 35);
        let mut told: Vec<_> = document["loops"].as_array().unwrap().iter().collect();
        told.sort_by_key(|one| one["thread"].to_string());
        let told: Vec<_> = told
            .iter()
            .map(|one| json!([one["address"], one["debug"], one["slow_callback_seconds"]]))
            .collect();
        let expected = target
            .eval("[[id(one), one.get_debug(), one.slow_callback_duration] for one in (one, two)]");
        assert_eq!(json!(told), expected);
        assert_eq!(runtime.records(), 0);
        target.exec("two.set_debug(False); settle(two)");
        finish(target);
    });
}

#[test]
fn off_without_a_record_leaves_the_logger_and_says_so() {
    let mut target = two_loops(python3());
    let runtime = Runtime::new(&target);
    target.exec("one.set_debug(True); logging.getLogger().setLevel(10); settle(one)");
    let done = runtime.run(&target, &["off"]).expect(0);
    done.expect_stderr("the level of the root logger is left");
    let state = target.eval("debug_state()");
    assert_eq!(state["debug"], json!([false, false]));
    assert_eq!(state["root"], 10);
    finish(target);
}

#[test]
fn what_others_set_since_then_is_left() {
    let mut target = two_loops(python3());
    let runtime = Runtime::new(&target);
    runtime.run(&target, &["on"]).expect(0);
    target.exec("logging.getLogger().setLevel(10); late = start_loop(); late.set_debug(True)");
    let done = runtime.run(&target, &["off"]).expect(0);
    done.expect_stderr("1 event loop was made since")
        .expect_stderr("was set by others");
    let state = target.eval("debug_state()");
    assert_eq!(state["debug"], json!([false, false, true]));
    assert_eq!(state["root"], 10);
    finish(target);
}

#[test]
fn a_loop_of_uvloop_is_set_too() {
    on_each(few(), |py| {
        let folder = match packages(py, &["uvloop"]) {
            Ok(folder) => folder,
            Err(reason) => return skipped(&format!("uvloop on {py}"), &reason),
        };
        let mut target = Start::new(py, "loops").packages(&folder).ready();
        target.exec("import uvloop; one = start_loop(uvloop.new_event_loop); sleep_in(one, 500)");
        let runtime = Runtime::new(&target);
        let state = target.eval("debug_state()");
        let done = runtime.run(&target, &["on"]).expect(0);
        assert!(done.stdout.contains("on, was off"), "{done:#?}");
        assert_eq!(target.eval("one.get_debug()"), true);
        runtime.run(&target, &["off"]).expect(0);
        assert_eq!(target.eval("debug_state()"), state);
        finish(target);
    });
}

#[test]
fn a_lock_of_logging_that_is_held_is_not_waited_for() {
    let mut target = two_loops(python3());
    let runtime = Runtime::new(&target);
    target.exec(
        "logging._acquireLock() if hasattr(logging, '_acquireLock') else logging._lock.acquire()",
    );
    let done = runtime.run(&target, &["on"]).expect(0);
    done.expect_stderr("holds the lock of `logging`");
    assert_eq!(target.eval("one.get_debug()"), true);
    assert_eq!(target.eval("logging.getLogger().level"), 30);
    target.exec("logging._lock.release()");
    runtime.run(&target, &["off"]).expect(0);
    finish(target);
}

#[test]
fn a_search_that_would_stop_the_target_for_too_long_is_not_made() {
    on_each(few(), |py| {
        if py.version < (3, 11, 0) {
            return skipped(&format!("search for loops on {py}"), "frames lead to them");
        }
        let mut target = two_loops(py);
        let runtime = Runtime::new(&target);
        target.exec("many = [[n] for n in range(1_500_000)]");
        let done = runtime
            .run(&target, &["on", "--max-pause", "30ms"])
            .expect(0);
        let done = done.expect_stderr("to do so: --max-pause ");
        assert!(done.stdout.contains("not reached"), "{done:#?}");
        assert_eq!(target.eval("two.get_debug()"), false);
        runtime
            .run(&target, &["on", "--max-pause", "10s"])
            .expect(0);
        assert_eq!(target.eval("two.get_debug()"), true);
        runtime
            .run(&target, &["off", "--max-pause", "10s"])
            .expect(0);
        assert_eq!(target.eval("two.get_debug()"), false);
        finish(target);
    });
}

#[test]
fn home_assistants_line_is_the_same() {
    let target = two_loops(python3());
    let runtime = Runtime::new(&target);
    let on = runtime.run(&target, &["on", "--format", "ha"]).expect(0);
    assert_eq!(on.stdout, "Setting asyncio debug to True\n");
    let off = runtime.run(&target, &["off", "--format", "ha"]).expect(0);
    assert_eq!(off.stdout, "Setting asyncio debug to False\n");
    finish(target);
}

#[test]
fn what_has_no_meaning_is_wrong_usage() {
    let target = Target::start(python3(), "idle");
    let runtime = Runtime::new(&target);
    for args in [
        &["status", "--slow", "1s"][..],
        &["off", "--slow", "1s"],
        &["on", "--interval", "5"],
        &["off", "--match", "x"],
        &["status", "--format", "ha"],
        &["sideways"],
    ] {
        runtime.run(&target, args).expect(2);
    }
}

#[test]
fn without_a_loop_nothing_is_set_and_it_is_said_why() {
    let mut target = Target::start(python3(), "idle");
    let runtime = Runtime::new(&target);
    for action in ["status", "on", "off"] {
        let done = runtime.run(&target, &[action]).expect(1);
        done.expect_stderr("has not imported asyncio");
    }
    target.exec("import asyncio");
    runtime
        .run(&target, &["on"])
        .expect(1)
        .expect_stderr("no event loop now");
    assert_eq!(runtime.records(), 0);
    target.finish_unharmed();
}
