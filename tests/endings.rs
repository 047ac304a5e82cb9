use serde_json::json;

use crate::support::proc::descendants;
use crate::support::{
    Fingerprint, LIMIT, Leakhunt, Target, all, assert_unharmed, eventually, few, on_each,
};

#[test]
fn callbacks_at_exit_that_compare_strangely_all_run() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "atexit_callbacks");
        let before = Fingerprint::of(&mut target);
        for _ in 0..2 {
            let growth = Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"]);
            growth.run().expect(0);
        }
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn a_target_that_begins_to_end_while_leakhunt_leaves_ends_as_it_would() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "atexit_callbacks");
        let options = ["--interval", "500ms", "--json"];
        let mut growth = Leakhunt::at(target.pid, "growth", &options).start();
        growth.line();
        target.exec("atexit.register(outlive_the_agent)");
        target.send(&json!({ "exec": "sys.exit(EXIT_CODE)" }));
        assert_eq!(target.answer(LIMIT), json!({ "ok": "ending" }));
        growth.signal(libc::SIGINT);
        growth.end(LIMIT).expect(0);
        target.finish_unharmed();
    });
}

#[test]
fn a_dump_that_is_cut_off_leaves_no_child_to_a_subreaper() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "subreaper");
        let options = ["--type", "Slow", "--repr-timeout", "1h"];
        let dump = Leakhunt::at(target.pid, "dump", &options).start();
        // The copy, and the one that runs the repr.
        eventually(LIMIT, || (descendants(target.pid).len() == 2).then_some(()))
            .expect("a repr runs");
        dump.signal(libc::SIGINT);
        dump.signal(libc::SIGINT);
        dump.end(LIMIT).expect(130);
        let options = ["--type", "Slow", "--repr-timeout", "100ms"];
        let cut_off = Leakhunt::at(target.pid, "dump", &options);
        cut_off.run().expect(0);
        assert_eq!(
            target.eval("children()"),
            json!(-1),
            "children that are left"
        );
        assert_eq!(target.eval("n_signals"), json!(0), "SIGCHLD");
        target.finish_unharmed();
    });
}
