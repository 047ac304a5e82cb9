use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::proc::kill;
use crate::support::{
    Fingerprint, LIMIT, Leakhunt, Target, assert_unharmed, few, on_each, python3,
};

/// Each inventory, in its ways to look.
const COMMANDS: [&[&str]; 9] = [
    &["lru"],
    &["lru", "--quick", "--json"],
    &["tasks"],
    &["tasks", "--format", "ha"],
    &["sockets", "--all"],
    &["threads", "--locals"],
    &["threads", "--outside"],
    &["scheduled", "--paths"],
    &["asyncio-debug", "status"],
];

/// Done, or nothing found where something was asked for.
const CODES: [Option<i32>; 2] = [Some(0), Some(1)];

fn at(pid: u32, command: &[&str]) -> Leakhunt {
    Leakhunt::new(command).args(&["--pid", &pid.to_string()])
}

#[test]
fn a_target_is_as_before_after_each_inventory() {
    on_each(few(), |py| {
        for kind in [
            "idle",
            "busy_python",
            "threads",
            "asyncio_server",
            "fork_loop",
        ] {
            let mut target = Target::start(py, kind);
            let before = Fingerprint::of(&mut target);
            for command in COMMANDS {
                let done = at(target.pid, command).run();
                assert!(CODES.contains(&done.code), "{kind}: {done:#?}");
            }
            assert_unharmed(&before, &mut target);
            if kind == "fork_loop" {
                let harm = target.eval("[n_hung, n_failed]");
                assert_eq!(harm, json!([0, 0]), "{target:?}: hung and failed children");
            }
            target.finish_unharmed();
        }
    });
}

#[test]
fn no_inventory_leaves_an_object_behind() {
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        let mut target = Target::start(py, "idle");
        let count = "(gc.collect(), len(gc.get_objects()))[1]";
        target.exec("import asyncio, functools, socket; loop = asyncio.new_event_loop()");
        target.eval(count);
        let before = target.eval(count);
        for command in COMMANDS {
            let done = at(target.pid, command).run();
            assert!(CODES.contains(&done.code), "{done:#?}");
        }
        assert_eq!(target.eval(count), before);
        target.finish_unharmed();
    });
}

#[test]
fn a_leakhunt_that_is_killed_in_an_inventory_leaves_the_target_unharmed() {
    let mut target = Target::start(python3(), "asyncio_server");
    let before = Fingerprint::of(&mut target);
    for command in COMMANDS {
        for moment_ms in [5, 40, 120] {
            let running = at(target.pid, command).start();
            // Not to wait for something, but to strike at some moment of a look.
            std::thread::sleep(Duration::from_millis(moment_ms));
            kill(running.pid(), libc::SIGKILL);
            running.end(LIMIT);
            assert!(target.is_running(), "{target:?} has ended");
        }
    }
    // What a killed attach left goes within 20 seconds by itself.
    let limit = Instant::now() + Duration::from_secs(20);
    while !before.differences(&Fingerprint::of(&mut target)).is_empty() && Instant::now() < limit {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_target_that_ends_in_an_inventory_ends_as_it_would() {
    on_each(few(), |py| {
        for (command, moment_ms) in COMMANDS.iter().zip([5, 60, 120].into_iter().cycle()) {
            let target = Target::start(py, "threads");
            let running = at(target.pid, command).start();
            // As above: to end at some moment.
            std::thread::sleep(Duration::from_millis(moment_ms));
            target.finish_unharmed();
            let done = running.end(LIMIT);
            let has_gone = ["does not exist", "has exited", "or shutting down"];
            // What was gone before leakhunt had looked is not to be attached.
            let was_gone =
                done.code == Some(3) && has_gone.iter().any(|text| done.stderr.contains(text));
            let codes = [Some(0), Some(1), Some(4)];
            let is_told = was_gone || codes.contains(&done.code);
            assert!(is_told, "{moment_ms} ms: {done:#?}");
        }
    });
}
