use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use crate::support::{Fingerprint, Leakhunt, Target, all, few, on_each, python3};

/// What was done to the target, and whether the fingerprint sees it.
fn differences_after(statements: &str) -> Vec<String> {
    let mut target = Target::start(python3(), "idle");
    let before = Fingerprint::of(&mut target);
    target.exec(statements);
    before.differences(&Fingerprint::of(&mut target))
}

#[test]
fn an_untouched_target_has_the_same_fingerprint() {
    on_each(few(), |py| {
        for kind in [
            "idle",
            "threads",
            "asyncio_server",
            "fork_loop",
            "subprocess_loop",
            "signals",
        ] {
            let mut target = Target::start(py, kind);
            let before = Fingerprint::of(&mut target);
            for _ in 0..5 {
                let differences = before.differences(&Fingerprint::of(&mut target));
                assert!(differences.is_empty(), "{kind}: {differences:?}");
            }
            target.finish_unharmed();
        }
    });
}

#[test]
fn a_fingerprint_sees_each_kind_of_harm() {
    for (what, statements) in [
        ("a descriptor", "kept = os.dup(0)"),
        (
            "a thread",
            "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        ),
        (
            "a signal mask",
            "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])",
        ),
        (
            "a signal handler",
            "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
        ),
        ("an atexit entry", "atexit.register(print)"),
        ("a setting of the collector", "gc.disable()"),
        ("a threshold of the collector", "gc.set_threshold(1, 2, 3)"),
        ("a callback of the collector", "gc.callbacks.append(print)"),
        ("frozen objects", "gc.freeze()"),
        (
            "a child",
            "import subprocess; kept = subprocess.Popen(['sleep', '600'])",
        ),
        (
            "a limit",
            "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)) or \
          resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))",
        ),
        (
            "code",
            "import mmap; kept = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC, \
          flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)",
        ),
        ("a trace function", "sys.settrace(lambda *call: None)"),
    ] {
        let differences = differences_after(statements);
        assert!(!differences.is_empty(), "{what} was not seen");
    }
}

#[test]
fn output_and_exit_code_of_a_target_are_checked() {
    for statements in [
        "print('noise')",
        "print('noise', file=sys.stderr)",
        "os._exit(3)",
    ] {
        let mut target = Target::start(python3(), "idle");
        target.send(&serde_json::json!({ "exec": statements }));
        let judged = catch_unwind(AssertUnwindSafe(|| target.finish_unharmed()));
        assert!(judged.is_err(), "{statements} was not seen");
    }
}

#[test]
fn each_interpreter_runs_each_target() {
    on_each(all(), |py| {
        for kind in [
            "idle",
            "shop",
            "hostile_reprs",
            "daemon_threads",
            "busy_python",
        ] {
            let mut target = Target::start(py, kind);
            assert_eq!(target.eval("6 * 7"), 42, "{kind}");
            target.finish_unharmed();
        }
    });
}

#[test]
fn the_zoo_counts_itself_the_same_before_and_after_a_read() {
    on_each(all(), |py| {
        for args in [&["3"][..], &["3", "freeze"]] {
            let mut start = crate::support::Start::new(py, "zoo");
            start.command().args(args);
            let mut target = start.ready();
            target.send(&serde_json::json!({ "look": true }));
            target.answer(crate::support::LIMIT);
            target.send_byte(b'x');
            let answer = target.answer(crate::support::LIMIT);
            assert_eq!(answer["before"], answer["after"]);
            assert_eq!(
                answer["before"]["__main__.Lost"][0], 3,
                "the lost are tracked"
            );
            target.finish_unharmed();
        }
    });
}

#[test]
fn a_failure_names_its_interpreter() {
    let judged = catch_unwind(|| on_each([python3()], |_| panic!("on purpose")));
    let text = judged.unwrap_err().downcast::<String>().unwrap();
    assert!(
        text.contains(&python3().to_string()) && text.contains("on purpose"),
        "{text}"
    );
}

#[test]
fn a_target_is_killed_when_a_test_leaves_it() {
    let target = Target::start(python3(), "fork_loop");
    let pid = target.pid;
    drop(target);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_run_of_the_program_keeps_its_streams_and_its_exit_code() {
    let mut shell = Command::new("sh");
    shell.args(["-c", "echo one; echo two >&2; exit 5"]);
    let done = Leakhunt::of(shell).run().expect(5).expect_stderr("two");
    assert_eq!(done.stdout, "one\n");
    let judged = catch_unwind(AssertUnwindSafe(|| done.expect(0)));
    assert!(judged.is_err(), "another exit code fails");
}
