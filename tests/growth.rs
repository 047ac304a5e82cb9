use std::fs;

use serde_json::{Value, json};

use crate::support::packages::objgraph_source;
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Lockstep, Target, all, assert_unharmed, eventually,
    few, on_each, python3, records, scratch_file, skipped,
};

/// What the target does between the looks, and what is told of `Template`: how many there are, the
/// change since the look before, and the part above the peak (objgraph's delta).
const STEPS: [(i64, u64, i64, Option<u64>); 5] = [
    (100, 100, 100, Some(100)),
    (10, 110, 10, Some(10)),
    (-10, 100, -10, None),
    (9, 109, 9, None),
    (3, 112, 3, Some(2)),
];

fn step(target: &mut Target, change: i64) {
    target.eval(&format!("step({change})"));
}

/// A shop with objgraph in it; `None` where objgraph cannot be had.
fn shop_with_objgraph(py: &Interpreter) -> Option<Target> {
    let source = match objgraph_source() {
        Ok(source) => source,
        Err(reason) => {
            skipped("comparison with objgraph", &reason);
            return None;
        }
    };
    let mut target = Target::start(py, "shop");
    target.exec(&format!("load_objgraph({})", json!(source)));
    Some(target)
}

fn row<'r>(record: &'r Value, name: &str) -> Option<&'r Value> {
    record["types"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["type"] == name)
}

#[test]
fn each_step_is_told_as_it_happened() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "shop");
        let before = Fingerprint::of(&mut target);
        let mut growth = Lockstep::start(&target, &["--json"]);
        for (change, ..) in STEPS {
            step(&mut target, change);
            growth.look();
        }
        let logged = records(growth.log());
        let done = growth.end().expect(0);
        let printed = done.json_lines();
        assert_eq!(printed, logged, "the log holds what is printed");
        assert!(
            row(&printed[0], "__main__.Template").is_none(),
            "there is none at first"
        );
        for ((record, (_, count, delta, _)), look) in printed[1..].iter().zip(STEPS).zip(2..) {
            let row = row(record, "__main__.Template").unwrap();
            assert_eq!(
                (&row["count"], &row["delta"]),
                (&json!(count), &json!(delta)),
                "look {look}"
            );
            assert_eq!(record["look"], look);
        }
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn objgraph_in_the_target_tells_the_same_growth() {
    on_each(few(), |py| {
        let Some(mut target) = shop_with_objgraph(py) else {
            return;
        };
        let first = target.eval("growth()");
        assert_eq!(first, json!([]), "there is nothing to count yet");
        target.eval("shown_growth()");
        let args = [
            "--collect",
            "--format",
            "objgraph",
            "--limit",
            "0",
            "--match",
            MATCH,
        ];
        let mut growth = Lockstep::start(&target, &args);
        let mut shown_by_objgraph = String::new();
        let mut deltas = Vec::new();
        for (change, ..) in STEPS {
            step(&mut target, change);
            let rows = target.eval("growth()");
            let rows = rows.as_array().unwrap();
            let template = rows.iter().find(|row| row[0] == "Template");
            deltas.push(template.map(|row| row[2].as_u64().unwrap()));
            shown_by_objgraph.push_str(target.eval("shown_growth()").as_str().unwrap());
            growth.look();
        }
        assert_eq!(deltas, STEPS.map(|step| step.3), "objgraph's own");
        let done = growth.end().expect(0);
        assert_eq!(done.stdout, shown_by_objgraph, "byte for byte");
        target.finish_unharmed();
    });
}

const MATCH: &str = "Template|Session";

#[test]
fn home_assistants_line_holds_objgraphs_rows() {
    let Some(mut target) = shop_with_objgraph(python3()) else {
        return;
    };
    target.eval("growth()");
    let args = [
        "--collect",
        "--format",
        "ha",
        "--limit",
        "0",
        "--match",
        MATCH,
    ];
    let mut growth = Lockstep::start(&target, &args);
    let mut expected = vec!["Memory Growth: []".to_owned()];
    for (change, ..) in STEPS {
        step(&mut target, change);
        let rows = target.eval("'Memory Growth: %s' % [tuple(row) for row in growth()]");
        expected.push(rows.as_str().unwrap().to_owned());
        growth.look();
    }
    let done = growth.end().expect(0);
    let told: Vec<_> = done.stdout.lines().collect();
    assert_eq!(told, expected);
    target.finish_unharmed();
}

#[test]
fn a_record_has_all_fields_of_its_schema() {
    let target = Target::start(python3(), "shop");
    let done = Leakhunt::at(
        target.pid,
        "growth",
        &["--count", "1", "--json", "--limit", "1"],
    );
    let done = done.run().expect(0);
    let record = &done.json_lines()[0];
    assert_eq!(record["schema"], "leakhunt.growth/1");
    assert_eq!(record["pid"], target.pid);
    assert_eq!(record["look"], 1);
    let time = record["time"].as_str().unwrap();
    let rfc3339 = regex::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$");
    assert!(rfc3339.unwrap().is_match(time), "{time}");
    assert!(record["pause_ms"].is_number() && record["garbage"].is_u64());
    let types = record["types"].as_array().unwrap();
    assert!(
        types.len() > 50,
        "all types whatever the limit, not {}",
        types.len()
    );
    for field in ["count", "bytes", "garbage"] {
        assert!(types.iter().all(|row| row[field].is_u64()), "{field}");
    }
    for field in ["delta", "bytes_delta"] {
        assert!(
            types.iter().all(|row| row[field] == 0),
            "{field} at the baseline"
        );
    }
    let sum = |field: &str| {
        types
            .iter()
            .map(|row| row[field].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(record["objects"], sum("count"));
    assert_eq!(record["bytes"], sum("bytes"));
    assert!(row(record, "dict").is_some(), "builtins are bare");
}

#[test]
fn format_json_is_the_same_as_json() {
    let target = Target::start(python3(), "shop");
    let args = ["--count", "1", "--format", "json"];
    let done = Leakhunt::at(target.pid, "growth", &args).run().expect(0);
    assert_eq!(done.json_lines()[0]["schema"], "leakhunt.growth/1");
}

#[test]
fn the_table_names_growing_types_first_and_obeys_the_limit() {
    let mut target = Target::start(python3(), "shop");
    let mut growth = Lockstep::start(&target, &["--limit", "1"]);
    step(&mut target, 100);
    growth.look();
    step(&mut target, 100);
    growth.look();
    let done = growth.end().expect(0);
    assert!(done.stdout.contains("__main__.Template"), "{done:#?}");
    assert!(
        !done.stdout.contains("__main__.Session"),
        "the limit is 1: {done:#?}"
    );
    assert!(done.stdout.contains("+100"), "{done:#?}");
}

#[test]
fn a_log_is_replayed_in_each_format_as_if_live() {
    let mut target = Target::start(python3(), "shop");
    let looks = |target: &mut Target, args: &[&str]| {
        let mut growth = Lockstep::start(target, args);
        for change in [20, 4] {
            step(target, change);
            growth.look();
        }
        let log = growth.log().to_owned();
        (log, growth.end().expect(0).stdout)
    };
    for format in ["objgraph", "ha", "json"] {
        let args = ["--format", format, "--match", MATCH];
        let (log, live) = looks(&mut target, &args);
        let replay = Leakhunt::new(["growth", "--replay"]).arg(&log).args(&args);
        assert_eq!(replay.run().expect(0).stdout, live, "{format}");
    }
    let (log, _) = looks(&mut target, &[]);
    let replay = Leakhunt::new(["growth", "--replay"])
        .arg(&log)
        .run()
        .expect(0);
    assert!(replay.stdout.contains("__main__.Template"), "{replay:#?}");
}

#[test]
fn a_torn_last_line_is_passed_over_with_a_warning() {
    let target = Target::start(python3(), "shop");
    let log = scratch_file("torn.jsonl");
    for _ in 0..2 {
        let args = ["--count", "1", "--log"];
        Leakhunt::at(target.pid, "growth", &args)
            .arg(&log)
            .run()
            .expect(0);
    }
    let whole = fs::read(&log).unwrap();
    let n_lines = whole.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(n_lines, 2, "--log appends");
    fs::write(&log, &whole[..whole.len() - 100]).unwrap();
    let replay = Leakhunt::new(["growth", "--json", "--replay"])
        .arg(&log)
        .run()
        .expect(0);
    assert_eq!(replay.json_lines().len(), 1);
    assert!(!replay.stderr.is_empty(), "the torn line is told of");
}

#[test]
fn a_log_that_is_none_is_bad_input() {
    let file = scratch_file("foreign.jsonl");
    fs::write(&file, "{\"schema\":\"another/1\"}\n").unwrap();
    let done = Leakhunt::new(["growth", "--replay"])
        .arg(&file)
        .run()
        .expect(2);
    done.expect_stderr("another/1");
    Leakhunt::new(["growth", "--replay", "/nonexistent"])
        .run()
        .expect(2);
}

#[test]
fn a_target_that_ends_is_summed_up_with_exit_code_4() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "shop");
        let mut growth =
            Leakhunt::at(target.pid, "growth", &["--interval", "1h", "--json"]).start();
        growth.line();
        step(&mut target, 5);
        target.finish_unharmed();
        let done = growth.end(LIMIT).expect(4);
        assert!(done.stderr.contains("exited"), "{done:#?}");
    });
}

#[test]
fn one_ctrl_c_detaches_and_succeeds() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "shop");
        let before = Fingerprint::of(&mut target);
        let mut growth =
            Leakhunt::at(target.pid, "growth", &["--interval", "1h", "--json"]).start();
        growth.line();
        growth.signal(libc::SIGINT);
        growth.end(LIMIT).expect(0);
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn two_ctrl_c_leave_at_once_and_unharmed() {
    let mut target = Target::start(python3(), "shop");
    let before = Fingerprint::of(&mut target);
    let mut growth = Leakhunt::at(target.pid, "growth", &["--interval", "1h", "--json"]).start();
    growth.line();
    growth.signal(libc::SIGINT);
    growth.signal(libc::SIGINT);
    let done = growth.end(LIMIT);
    assert!(matches!(done.code, Some(0 | 130)), "{done:#?}");
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_closed_pipe_is_success() {
    let mut target = Target::start(python3(), "shop");
    let before = Fingerprint::of(&mut target);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "\"$@\"; echo $? >&2"]).arg("sh");
    let pid = target.pid.to_string();
    let program = crate::support::leakhunt::program();
    let mut command = shell;
    command
        .arg(program)
        .args(["growth", "--interval", "1", "--json", "--pid", &pid]);
    command.stdin(std::process::Stdio::null());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&done.stderr),
        "0\n",
        "exit code, and nothing else"
    );
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn a_command_is_started_and_its_exit_code_passed_on() {
    on_each(few(), |py| {
        let script =
            "import time\nkept = [[] for _ in range(1000)]\ntime.sleep(3)\nraise SystemExit(9)";
        let python = py.command();
        let done = Leakhunt::new(["growth", "--interval", "1", "--json", "--"])
            .arg(python.get_program())
            .args(&["-c", script])
            .run()
            .expect(9);
        assert!(
            !done.json_lines().is_empty(),
            "there was time for a look: {done:#?}"
        );
    });
}

#[test]
fn the_leak_of_the_example_is_named_and_its_twin_has_none() {
    for (shop, leaks) in [("leaky_shop", true), ("bounded_shop", false)] {
        let script = format!("{}/python-fixtures/{shop}.py", env!("CARGO_MANIFEST_DIR"));
        let python = python3().command();
        let options = ["growth", "--interval", "1", "--count", "4", "--json", "--"];
        let done = Leakhunt::new(options)
            .arg(python.get_program())
            .arg(script)
            .run()
            .expect(0);
        let looks = done.json_lines();
        assert_eq!(looks.len(), 4);
        // The first looks are at a program that still starts and a cache that still fills.
        for look in &looks[2..] {
            let templates = row(look, "__main__.Template").expect("both keep templates");
            let delta = templates["delta"].as_i64().expect("a number");
            assert_eq!(delta > 0, leaks, "{shop}: {templates}");
        }
    }
}

#[test]
fn a_started_command_keeps_its_streams_and_gets_our_signals() {
    let ready = scratch_file("ready");
    let script = "import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(11))
sys.stderr.write('heard\\n')
open(sys.argv[1], 'w').close()
while True: time.sleep(0.05)";
    let mut growth = Leakhunt::new(["growth", "--interval", "1h", "--json", "--"])
        .arg(&python3().executable)
        .args(&["-c", script])
        .arg(&ready)
        .start();
    eventually(LIMIT, || ready.exists().then_some(())).expect("the command runs");
    growth.line();
    growth.signal(libc::SIGTERM);
    growth.end(LIMIT).expect(11).expect_stderr("heard");
}

#[test]
fn a_command_that_cannot_be_started_is_wrong_usage() {
    let done = Leakhunt::new(["growth", "--", "/nonexistent/python"]).run();
    assert!(matches!(done.code, Some(2 | 3)), "{done:#?}");
    done.expect_stderr("/nonexistent/python");
}

#[test]
fn match_keeps_to_types_by_name() {
    let mut target = Target::start(python3(), "shop");
    step(&mut target, 30);
    let args = ["--count", "1", "--match", "Templ"];
    let done = Leakhunt::at(target.pid, "growth", &args).run().expect(0);
    assert!(done.stdout.contains("__main__.Template"), "{done:#?}");
    assert!(!done.stdout.contains("function"), "{done:#?}");
    let bad = Leakhunt::at(target.pid, "growth", &["--match", "("])
        .run()
        .expect(2);
    bad.expect_stderr("--match");
}
