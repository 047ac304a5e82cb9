use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::proc::{descendants, kill};
use crate::support::{
    Fingerprint, LIMIT, Leakhunt, Target, all, assert_unharmed, eventually, few, on_each, python3,
    scratch_file,
};

/// Each command that takes the graph, with what it leaves in `folder`.
fn commands(pid: u32, folder: &Path) -> Vec<Leakhunt> {
    let to = |name: &str| folder.join(name);
    let sources = |options: &[&str]| {
        let options = [&["--interval", "100ms", "--count", "2"], options].concat();
        Leakhunt::at(pid, "sources", &options)
    };
    vec![
        Leakhunt::at(pid, "snapshot", &["--values", "-o"]).arg(to("heap.leakhunt")),
        Leakhunt::at(pid, "snapshot", &["--collect", "--no-names", "-o"]).arg(to("heap.leakhunt")),
        Leakhunt::at(
            pid,
            "snapshot",
            &["--by", "rcs", "--virtual-dicts", "--append", "-o"],
        )
        .arg(to("heap.hpy")),
        Leakhunt::at(pid, "memory", &["--seconds", "0.1", "-o"]).arg(to("memory.hpy")),
        sources(&["--trace", "--format", "json"]),
        sources(&["--rank", "gc", "--format", "ha"]),
    ]
}

fn scratch_folder() -> PathBuf {
    let folder = scratch_file("captures");
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn an_idle_target_is_as_before_after_each_capture() {
    on_each(all(), |py| {
        let folder = scratch_folder();
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        for command in commands(target.pid, &folder) {
            command.run().expect(0);
            assert_unharmed(&before, &mut target);
        }
        fs::remove_dir_all(&folder).unwrap();
        target.finish_unharmed();
    });
}

#[test]
fn a_busy_target_is_as_before_after_each_capture() {
    on_each(few(), |py| {
        let folder = scratch_folder();
        for kind in ["busy_c", "threads", "asyncio_server", "fork_loop"] {
            let mut target = Target::start(py, kind);
            let before = Fingerprint::of(&mut target);
            for command in commands(target.pid, &folder) {
                let done = command.run();
                if !target.is_running() {
                    panic!("{kind}: {:?} beside {done:#?}", target.end());
                }
                done.expect(0);
            }
            assert_unharmed(&before, &mut target);
            if kind == "fork_loop" {
                let harm = target.eval("[n_hung, n_failed]");
                assert_eq!(harm, json!([0, 0]), "{target:?}: hung and failed children");
            }
            target.finish_unharmed();
        }
        fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn the_objects_of_the_target_are_as_before_captures() {
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        let folder = scratch_folder();
        let mut target = Target::start(py, "named_places");
        target.eval("grow(0, 3)");
        let count = "(gc.collect(), len(gc.get_objects()))[1]";
        target.eval(count);
        let before = target.eval(count);
        for command in commands(target.pid, &folder) {
            command.run().expect(0);
        }
        assert_eq!(target.eval(count), before);
        fs::remove_dir_all(&folder).unwrap();
        target.finish_unharmed();
    });
}

#[test]
fn a_capture_neither_runs_nor_switches_the_collector() {
    on_each(few(), |py| {
        let file = scratch_file("heap.leakhunt");
        for setting in ["gc.enable()", "gc.disable()"] {
            let mut target = Target::start(py, "idle");
            target.exec(setting);
            target.exec("n = []; gc.callbacks.append(lambda *call: n.append(call))");
            let before = Fingerprint::of(&mut target);
            let snapshot = Leakhunt::at(target.pid, "snapshot", &["-o"]).arg(&file);
            snapshot.run().expect(0);
            assert_unharmed(&before, &mut target);
            assert_eq!(target.eval("len(n)"), json!(0), "{setting}: collections");
            target.finish_unharmed();
        }
        fs::remove_dir_all(&file).unwrap();
    });
}

#[test]
fn tracing_is_put_back_as_it_was() {
    on_each(few(), |py| {
        for (setting, state) in [
            ("pass", json!([false, 1])),
            ("tracemalloc.start(7)", json!([true, 7])),
        ] {
            let mut target = Target::start(py, "idle");
            target.exec("import tracemalloc");
            target.exec(setting);
            let tracing = "[tracemalloc.is_tracing(), tracemalloc.get_traceback_limit()]";
            assert_eq!(target.eval(tracing), state);
            let options = ["--trace", "--interval", "100ms", "--count", "2"];
            let sources = Leakhunt::at(target.pid, "sources", &options);
            sources.run().expect(0);
            assert_eq!(target.eval(tracing)[0], state[0], "{setting}: is_tracing()");
            if state[0] == json!(true) {
                assert_eq!(target.eval(tracing), state, "{setting}: the limit");
            }
            target.finish_unharmed();
        }
    });
}

#[test]
fn tracing_ends_when_leakhunt_is_killed() {
    let mut target = Target::start(python3(), "idle");
    target.exec("import tracemalloc");
    let options = ["--trace", "--interval", "1h"];
    let sources = Leakhunt::at(target.pid, "sources", &options).start();
    let is_tracing = |target: &mut Target| target.eval("tracemalloc.is_tracing()") == json!(true);
    let limit = Instant::now() + LIMIT;
    while !is_tracing(&mut target) {
        assert!(Instant::now() < limit, "tracing is switched on");
    }
    sources.signal(libc::SIGKILL);
    sources.end(LIMIT);
    while is_tracing(&mut target) {
        assert!(Instant::now() < limit, "tracing is switched off again");
        std::thread::sleep(Duration::from_millis(20));
    }
    target.finish_unharmed();
}

/// A target with so much in it that a capture takes a while.
fn large(py: &crate::support::Interpreter) -> Target {
    let mut target = Target::start(py, "idle");
    target.exec("kept = [[n, {'n': [n]}] for n in range(30_000)]; gc.collect()");
    target
}

#[test]
fn a_leakhunt_that_is_killed_in_a_capture_leaves_the_target_unharmed() {
    on_each(few(), |py| {
        let mut target = large(py);
        let before = Fingerprint::of(&mut target);
        for moment_ms in [5, 30, 80, 150, 300] {
            let folder = scratch_folder();
            let snapshot = Leakhunt::at(target.pid, "snapshot", &["-o"]);
            let snapshot = snapshot.arg(folder.join("heap.leakhunt")).start();
            // Not to wait for something, but to strike at some moment of a capture.
            std::thread::sleep(Duration::from_millis(moment_ms));
            kill(snapshot.pid(), libc::SIGKILL);
            snapshot.end(LIMIT);
            assert!(target.is_running(), "{target:?} has ended");
            let names = fs::read_dir(&folder).unwrap().flatten();
            let half = names.filter(|entry| entry.file_name() == "heap.leakhunt");
            for entry in half {
                let done = Leakhunt::new(["show"]).arg(entry.path()).run();
                done.expect(0);
            }
            fs::remove_dir_all(&folder).unwrap();
        }
        // What a killed attach left goes within 20 seconds by itself.
        let limit = Instant::now() + Duration::from_secs(20);
        while !before.differences(&Fingerprint::of(&mut target)).is_empty()
            && Instant::now() < limit
        {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn a_target_that_ends_in_a_capture_ends_as_it_would() {
    on_each(few(), |py| {
        for moment_ms in [5, 40, 90, 180] {
            let target = large(py);
            let file = scratch_file("ended.leakhunt");
            let snapshot = Leakhunt::at(target.pid, "snapshot", &["-o"]);
            let snapshot = snapshot.arg(&file).start();
            // As above: to end at some moment.
            std::thread::sleep(Duration::from_millis(moment_ms));
            target.finish_unharmed();
            let done = snapshot.end(LIMIT);
            match done.code {
                // The copy outlives the target.
                Some(0) => fs::remove_dir_all(&file).unwrap(),
                code => {
                    assert_eq!(code, Some(4), "{moment_ms} ms: {done:#?}");
                    assert!(!file.exists(), "no half snapshot: {done:#?}");
                }
            }
        }
    });
}

#[test]
fn a_target_that_is_about_to_end_in_a_capture_has_gone_away() {
    on_each(few(), |py| {
        for is_read in [true, false] {
            let mut target = large(py);
            target.exec("import time; atexit.register(time.sleep, 1)");
            let file = scratch_file("ended.leakhunt");
            let snapshot = Leakhunt::at(target.pid, "snapshot", &["-o"]);
            let snapshot = snapshot.arg(&file).start();
            eventually(LIMIT, || {
                (!descendants(target.pid).is_empty()).then_some(())
            })
            .expect("a copy is made");
            // What is not read fills the channel, so that the copy cannot come to its end.
            snapshot.signal(libc::SIGSTOP);
            target.send(&json!({ "exec": "sys.exit(EXIT_CODE)" }));
            eventually(LIMIT, || descendants(target.pid).is_empty().then_some(()))
                .expect("the copy goes with the interpreter");
            if !is_read {
                target.finish_unharmed();
                snapshot.signal(libc::SIGCONT);
            } else {
                snapshot.signal(libc::SIGCONT);
                target.finish_unharmed();
            }
            snapshot.end(LIMIT).expect(4);
            assert!(!file.exists(), "no half snapshot");
        }
    });
}

#[test]
fn a_target_may_fork_and_exec_in_a_capture() {
    on_each(few(), |py| {
        let mut target = large(py);
        target.exec("import subprocess");
        let before = Fingerprint::of(&mut target);
        let folder = scratch_folder();
        for _ in 0..2 {
            let snapshot = Leakhunt::at(target.pid, "snapshot", &["-o"]);
            let snapshot = snapshot.arg(folder.join("heap.leakhunt")).start();
            for _ in 0..2 {
                target.exec("child = os.fork()\nif child == 0: sys.exit(5)");
                let status = target.eval("os.waitpid(child, 0)[1] >> 8");
                assert_eq!(status, json!(5), "a fork child's exit code");
                target.exec("subprocess.run(['true'], check=True)");
            }
            snapshot.end(LIMIT).expect(0);
        }
        assert_unharmed(&before, &mut target);
        fs::remove_dir_all(&folder).unwrap();
        target.finish_unharmed();
    });
}

#[test]
fn ctrl_c_in_a_capture_leaves_neither_a_file_nor_anything_in_the_target() {
    on_each(few(), |py| {
        let mut target = large(py);
        let before = Fingerprint::of(&mut target);
        for name in ["heap.leakhunt", "heap.hpy"] {
            let folder = scratch_folder();
            let snapshot = Leakhunt::at(target.pid, "snapshot", &["-o"]);
            let snapshot = snapshot.arg(folder.join(name)).start();
            let copy = eventually(LIMIT, || descendants(target.pid).first().copied());
            // It cannot come to its end.
            kill(copy.expect("a copy is made"), libc::SIGSTOP);
            snapshot.signal(libc::SIGINT);
            snapshot.end(LIMIT).expect(130).expect_stderr("interrupted");
            let names: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
            assert!(names.is_empty(), "{names:?}");
            fs::remove_dir_all(&folder).unwrap();
            assert_unharmed(&before, &mut target);
            assert!(
                descendants(target.pid).is_empty(),
                "{target:?}: a copy is left"
            );
        }
        target.finish_unharmed();
    });
}
