use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::proc::kill;
use crate::support::{
    Fingerprint, LIMIT, Leakhunt, Target, all, assert_unharmed, few, on_each, python3,
};

/// How often: the long form where `LEAKHUNT_STRESS` is set.
fn times(short: usize, long: usize) -> usize {
    if std::env::var_os("LEAKHUNT_STRESS").is_some() {
        long
    } else {
        short
    }
}

/// A series of numbers that is the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn cycle(target: &mut Target) {
    let done = Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"]).run();
    assert!(target.is_running(), "{target:?} has ended: {done:?}");
    done.expect(0);
}

/// Attaches to a busy target again and again.
fn cycles_of(kind: &str, n_cycles: usize) {
    on_each(few(), |py| {
        let mut target = Target::start(py, kind);
        let before = Fingerprint::of(&mut target);
        for _ in 0..n_cycles {
            cycle(&mut target);
        }
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn cycles_against_python_code() {
    cycles_of("busy_python", times(15, 300));
}

#[test]
fn cycles_against_twenty_threads() {
    cycles_of("threads", times(8, 300));
}

#[test]
fn cycles_against_a_thousand_signals_a_second() {
    cycles_of("signals", times(15, 300));
}

#[test]
fn cycles_against_an_asyncio_server() {
    cycles_of("asyncio_server", times(15, 300));
}

#[test]
fn cycles_against_c_code() {
    cycles_of("busy_c", times(8, 300));
}

#[test]
fn cycles_against_subprocesses() {
    cycles_of("subprocess_loop", times(15, 300));
}

#[test]
fn no_fork_hangs_beside_attaches() {
    // The old interpreters are the ones whose own fork is not safe against new thread states.
    let old = |py: &&crate::support::Interpreter| py.version < (3, 12, 0);
    let chosen: Vec<_> = all()
        .iter()
        .filter(old)
        .chain(few().into_iter().filter(|py| !old(py)))
        .collect();
    on_each(chosen, |py| {
        let mut target = Target::start(py, "fork_loop");
        let before = Fingerprint::of(&mut target);
        for _ in 0..times(25, 300) {
            cycle(&mut target);
        }
        assert_unharmed(&before, &mut target);
        let n_forks = target.eval("n_forks").as_u64().unwrap();
        assert!(n_forks > 0);
        let harm = target.eval("[n_hung, n_failed]");
        assert_eq!(harm, json!([0, 0]), "hung and failed of {n_forks} children");
        target.finish_unharmed();
    });
}

#[test]
fn targets_that_exit_at_a_random_moment_exit_as_they_would() {
    on_each(few(), |py| {
        let mut dice = Dice(0x1eaf_0001);
        for round in 0..times(10, 100) {
            let mut target = Target::start(py, ["idle", "daemon_threads"][round % 2]);
            let program =
                Leakhunt::at(target.pid, "growth", &["--interval", "1", "--json"]).start();
            let moment = dice.below(80_000);
            target.send(
                &json!({ "exec": format!("import time; time.sleep({moment} / 1e6); sys.exit(7)") }),
            );
            target
                .end()
                .check_unharmed(&format!("round {round}, exit after {moment} us, {py}"));
            let done = program.end(LIMIT);
            assert!(matches!(done.code, Some(3 | 4)), "round {round}: {done:#?}");
        }
    });
}

#[test]
fn a_killed_leakhunt_leaves_the_target_unharmed() {
    on_each(few(), |py| {
        for kind in ["idle", "busy_python", "threads"] {
            let mut dice = Dice(0x1eaf_0002);
            let mut target = Target::start(py, kind);
            let before = Fingerprint::of(&mut target);
            for _ in 0..times(6, 50) {
                let program =
                    Leakhunt::at(target.pid, "growth", &["--interval", "1", "-q"]).start();
                // Not to wait for something, but to strike at any moment of an attach.
                std::thread::sleep(Duration::from_micros(dice.below(40_000)));
                kill(program.pid(), libc::SIGKILL);
                let done = program.end(LIMIT);
                assert!(done.signal == Some(libc::SIGKILL), "{done:#?}");
                assert!(target.is_running(), "{target:?} has ended");
            }
            // What a killed attach left goes within 20 seconds by itself.
            let limit = Instant::now() + Duration::from_secs(20);
            while !before.differences(&Fingerprint::of(&mut target)).is_empty()
                && Instant::now() < limit
            {
                std::thread::sleep(Duration::from_millis(100));
            }
            assert_unharmed(&before, &mut target);
            cycle(&mut target);
            target.finish_unharmed();
        }
    });
}

#[test]
fn a_storm_of_stops_and_continues_does_no_harm() {
    let mut target = Target::start(python3(), "signals");
    let before = Fingerprint::of(&mut target);
    let pid = target.pid;
    let (stop, is_stopping) = std::sync::mpsc::channel::<()>();
    let storm = std::thread::spawn(move || {
        while is_stopping.recv_timeout(Duration::from_millis(3)).is_err() {
            kill(pid, libc::SIGSTOP);
            kill(pid, libc::SIGCONT);
        }
    });
    for _ in 0..times(20, 100) {
        let done = Leakhunt::at(pid, "growth", &["--count", "1", "-q"]).run();
        assert!(
            matches!(done.code, Some(0 | 3)),
            "attached or refused: {done:#?}"
        );
    }
    stop.send(()).unwrap();
    storm.join().unwrap();
    kill(pid, libc::SIGCONT);
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}
