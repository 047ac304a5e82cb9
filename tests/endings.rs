use serde_json::json;

use crate::support::proc::descendants;
use crate::support::{
    Fingerprint, LIMIT, Leakhunt, Target, all, assert_unharmed, eventually, few, on_each, python3,
    scratch_file,
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

#[test]
fn a_started_program_that_ends_before_there_is_a_result_is_exit_code_4_and_no_file() {
    let file = scratch_file("heap.hpy");
    let path = file.to_str().unwrap();
    let python = python3().command();
    let python = python.get_program().to_str().unwrap();
    let late = [python, "-c", "import time; time.sleep(3)"];
    let cases: [(&[&str], &[&str]); 5] = [
        (&["growth"], &["true"]),
        (&["sources"], &["true"]),
        (&["snapshot", "-o", path], &["true"]),
        (&["memory", "-o", path], &["true"]),
        (&["memory", "--seconds", "1h", "-o", path], &late),
    ];
    for (args, program) in cases {
        let done = Leakhunt::new(args).arg("--").args(program).run().expect(4);
        assert!(
            done.stderr.contains("leakhunt: error: process "),
            "{done:#?}"
        );
        assert!(!file.exists(), "{done:#?}");
    }
}
