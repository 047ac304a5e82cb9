use serde_json::json;

use crate::support::fingerprint::mapped;
use crate::support::{
    EXIT_CODE, Fingerprint, Leakhunt, Target, all, assert_unharmed, few, on_each, python3, skipped,
};

/// Targets of each kind of business.
const KINDS: [&str; 9] = [
    "idle",
    "busy_python",
    "busy_c",
    "busy_regex",
    "threads",
    "asyncio_server",
    "signals",
    "subprocess_loop",
    "fork_loop",
];

/// Each command, with what it exits with here.
fn commands(pid: u32) -> [(Leakhunt, i32); 7] {
    let looks = ["--for", "100ms", "--scans", "4"];
    [
        (Leakhunt::at(pid, "hunt", &looks), 0),
        (Leakhunt::at(pid, "hunt", &["--account"]), 0),
        (Leakhunt::at(pid, "growth", &["--count", "1"]), 0),
        (
            Leakhunt::at(pid, "growth", &["--count", "1", "--collect", "--json"]),
            0,
        ),
        (
            Leakhunt::at(
                pid,
                "dump",
                &["--type", "builtin_function_or_method", "--limit", "3"],
            ),
            0,
        ),
        (
            Leakhunt::at(pid, "dump", &["--type", "dict", "--limit", "3", "--safe"]),
            0,
        ),
        (Leakhunt::at(pid, "dump", &["--type", "NoSuchType"]), 1),
    ]
}

#[test]
fn an_idle_target_is_as_before_after_each_command() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        for (command, code) in commands(target.pid) {
            command.run().expect(code);
            assert_unharmed(&before, &mut target);
        }
        target.finish_unharmed();
    });
}

#[test]
fn a_busy_target_is_as_before_after_each_command() {
    on_each(few(), |py| {
        for kind in KINDS {
            let mut target = Target::start(py, kind);
            let before = Fingerprint::of(&mut target);
            for (command, code) in commands(target.pid) {
                command.run().expect(code);
            }
            assert_unharmed(&before, &mut target);
            check_own_books(&mut target, kind);
            target.finish_unharmed();
        }
    });
}

/// What some targets count of their own harm.
fn check_own_books(target: &mut Target, kind: &str) {
    if ["fork_loop", "subprocess_loop"].contains(&kind) {
        assert_eq!(
            target.eval("n_failed"),
            json!(0),
            "{target:?}: children that failed"
        );
    }
    if kind == "fork_loop" {
        assert_eq!(
            target.eval("n_hung"),
            json!(0),
            "{target:?}: children that hang"
        );
    }
}

#[test]
fn a_hundred_attaches_leave_no_more_than_a_few_do() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        let attach = |target: &Target| {
            Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"])
                .run()
                .expect(0);
        };
        for _ in 0..5 {
            attach(&target);
        }
        assert_unharmed(&before, &mut target);
        let after_a_few = mapped(target.pid);
        for _ in 5..100 {
            attach(&target);
        }
        assert_unharmed(&before, &mut target);
        let after_hundred = mapped(target.pid);
        assert!(
            after_hundred.0 <= after_a_few.0 && after_hundred.1 <= after_a_few.1,
            "(mappings, bytes) {after_hundred:?} after 100 attaches, {after_a_few:?} after 5"
        );
        target.finish_unharmed();
    });
}

#[test]
fn the_objects_of_the_target_are_as_before() {
    on_each(all(), |py| {
        if py.free_threaded {
            let why = "its collector loses sight of objects as soon as any thread has ended";
            return skipped(&format!("objects of {py}"), why);
        }
        let mut target = Target::start(py, "idle");
        let count = "(gc.collect(), len(gc.get_objects()))[1]";
        target.eval(count);
        let before = target.eval(count);
        for _ in 0..3 {
            Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"])
                .run()
                .expect(0);
        }
        assert_eq!(target.eval(count), before);
        target.finish_unharmed();
    });
}

#[test]
fn the_collector_is_neither_run_nor_switched() {
    on_each(all(), |py| {
        for setting in ["gc.enable()", "gc.disable()"] {
            let mut target = Target::start(py, "idle");
            target.exec(setting);
            target.exec(
                "collections = []; gc.callbacks.append(lambda *call: collections.append(call))",
            );
            let before = Fingerprint::of(&mut target);
            Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"])
                .run()
                .expect(0);
            assert_unharmed(&before, &mut target);
            assert_eq!(
                target.eval("len(collections)"),
                json!(0),
                "{setting}: collections"
            );
            target.finish_unharmed();
        }
    });
}

#[test]
fn daemon_threads_at_exit_do_not_matter() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "daemon_threads");
        let before = Fingerprint::of(&mut target);
        Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"])
            .run()
            .expect(0);
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn a_target_ends_as_it_would_while_leakhunt_is_attached() {
    on_each(all(), |py| {
        for kind in ["idle", "daemon_threads"] {
            let target = Target::start(py, kind);
            let args = ["--interval", "1h", "--json"];
            let mut growth = Leakhunt::at(target.pid, "growth", &args).start();
            growth.line();
            target.finish_unharmed();
            growth.end(crate::support::LIMIT).expect(4);
        }
    });
}

#[test]
fn exec_and_exit_of_a_fork_child_pass_while_leakhunt_is_attached() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        let args = ["--interval", "1h", "--json"];
        let mut growth = Leakhunt::at(target.pid, "growth", &args).start();
        growth.line();
        // A child ends as Python programs do, with the atexit callbacks that it inherited.
        target.exec("child = os.fork()\nif child == 0: sys.exit(5)");
        assert_eq!(target.eval("os.waitpid(child, 0)[1] >> 8"), json!(5));
        assert_eq!(
            target.eval("1 + 1"),
            json!(2),
            "the attach is alive beside it"
        );
        // The process becomes another program.
        target.send(
            &json!({ "exec": format!("os.execv('/bin/sh', ['sh', '-c', 'exit {EXIT_CODE}'])") }),
        );
        target.end().check_unharmed("exec");
        growth.end(crate::support::LIMIT);
    });
}

#[test]
fn an_interrupted_call_takes_no_longer_and_ends_as_it_would() {
    let mut target = Target::start(python3(), "idle");
    target.exec(
        "import queue, subprocess, time
def timed(call):
    start = time.monotonic()
    try: call()
    except queue.Empty: pass
    return time.monotonic() - start",
    );
    for call in [
        "time.sleep(1)",
        "threading.Event().wait(1)",
        "queue.Queue().get(timeout=1)",
        "select.select([], [], [], 1)",
        "subprocess.run(['sleep', '1']).returncode",
        "signal.sigtimedwait([signal.SIGUSR1], 1)",
    ] {
        target.send(&json!({ "eval": format!("timed(lambda: {call})") }));
        for _ in 0..2 {
            Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"])
                .run()
                .expect(0);
        }
        let answer = target.answer(crate::support::LIMIT);
        let seconds = answer["ok"].as_f64().unwrap_or(0.0);
        assert!(
            seconds >= 1.0,
            "{call} came back early, after {seconds} s: {answer}"
        );
        // The stub of a killed attach lets go after five seconds: no call may take that long.
        assert!(seconds < 5.0, "{call} took {seconds} s: {answer}");
    }
    target.finish_unharmed();
}
