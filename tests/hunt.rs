use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::support::fixtures::folder;
use crate::support::leakhunt::program;
use crate::support::proc::threads;
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Running, Start, Target, assert_unharmed, eventually,
    few, on_each, python3, scratch_file,
};

/// As few looks as a verdict takes.
const LOOKS: [&str; 4] = ["--for", "2s", "--scans", "4"];
/// What is told with `-v` at each look.
const A_LOOK: &str = "the look stopped the target for";
/// Where `leaky_service.py` leaks.
const PLACE: &str = "leaky_service.SERVICE.pool.connections";

/// A fixture at work, past what fills once.
fn at_work(py: &Interpreter, module: &str) -> Target {
    let mut target = Start::new(py, "fixture_host")
        .arg(folder().to_str().unwrap())
        .arg(module)
        .ready();
    target.eval("start(3600)");
    target
}

/// `leakhunt hunt` with so many looks as a verdict takes.
fn hunt(target: &Target, args: &[&str]) -> Leakhunt {
    Leakhunt::at(target.pid, "hunt", &LOOKS).args(args)
}

/// A hunt that looks twice at once and then waits for long.
fn long_hunt(target: &Target, args: &[&str]) -> Running {
    let options = ["--for", "8h", "--scans", "5", "-v"];
    Leakhunt::at(target.pid, "hunt", &options)
        .args(args)
        .start()
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(|key| &**key)
        .collect()
}

#[test]
fn a_leak_is_named_with_place_rate_and_what_to_type_next() {
    let fingerprints = Mutex::new(BTreeMap::new());
    on_each(few(), |py| {
        let mut target = at_work(py, "leaky_service");
        let before = Fingerprint::of(&mut target);
        let made_before = target.eval("fixture.SERVICE.pool.connections.__len__()");
        let found = hunt(&target, &["--json"]).run().expect(0).json();
        let made_after = target.eval("fixture.SERVICE.pool.connections.__len__()");
        assert_eq!(found["schema"], "leakhunt.findings/1");
        assert_eq!(found["pid"], target.pid);
        assert_eq!(found["verdict"], "leak", "{found}");
        assert_eq!(found["looks"], 4);
        assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found}");
        let leak = &found["findings"][0];
        assert_eq!(
            (&leak["kind"], &leak["place"]),
            (&json!("place"), &json!(PLACE))
        );
        assert_eq!(leak["holder_type"], "dict");
        assert_eq!(leak["grows_by"], "objects");
        let held = &leak["holds"][0];
        assert_eq!(held["type"], "leaky_service.Connection");
        let (first, last) = (held["objects_first"].as_u64(), held["objects"].as_u64());
        assert!(made_before.as_u64() <= first && first < last, "{leak}");
        assert!(last <= made_after.as_u64(), "{leak}");
        // A hundred a second were asked for; a machine at work makes fewer.
        let rate = leak["objects_per_s"].as_f64().unwrap();
        assert!((1.0..130.0).contains(&rate), "{leak}");
        let bytes = leak["exclusive_bytes"].as_u64().unwrap();
        assert!(bytes >= last.unwrap() * 48, "{leak}");
        assert!(bytes <= leak["share_bytes"].as_u64().unwrap(), "{leak}");
        assert_eq!(
            (&leak["intervals_grown"], &leak["intervals"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(leak["package"], "leaky_service");
        assert_eq!(leak["accepted"], false);
        let next = format!("leakhunt hunt --pid {} --trace", target.pid);
        assert_eq!(leak["next"], json!(next));
        let path = leak["path"].as_str().unwrap();
        assert_eq!(
            path,
            "sys.modules['leaky_service'].SERVICE.pool.connections[*]"
        );
        let container = path.strip_suffix("[*]").unwrap();
        let is_it = target.eval(&format!("{container} is fixture.SERVICE.pool.connections"));
        assert_eq!(is_it, json!(true), "{path}");
        let fingerprint = leak["fingerprint"].as_str().unwrap().to_owned();
        fingerprints
            .lock()
            .unwrap()
            .insert(py.name.clone(), fingerprint);
        assert!(
            found["memory"]["rss_bytes"].as_u64() > Some(1 << 20),
            "{found}"
        );
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
    let fingerprints = fingerprints.into_inner().unwrap();
    let one = fingerprints.values().next();
    assert!(
        fingerprints.values().all(|other| Some(other) == one),
        "the same leak in other processes, on other versions: {fingerprints:?}"
    );
}

/// The field names of the document's tables in docs/json.md.
fn documented(section: &str) -> Vec<String> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
    let (_, rest) = text.split_once(&format!("\n## {section}\n")).unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').nth(1).unwrap());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

#[test]
fn each_field_of_the_document_is_documented() {
    let target = at_work(python3(), "leaky_service");
    let found = hunt(&target, &["--json"]).run().expect(0).json();
    let documented = documented("leakhunt.findings/1");
    let is_documented = |name: String| {
        assert!(
            documented.contains(&name),
            "{name} is not in {documented:?}"
        );
    };
    keys(&found)
        .into_iter()
        .map(str::to_owned)
        .for_each(is_documented);
    for key in keys(&found["findings"][0]) {
        is_documented(format!("findings[].{key}"));
    }
    for key in keys(&found["findings"][0]["holds"][0]) {
        is_documented(format!("findings[].holds[].{key}"));
    }
    target.finish_unharmed();
}

#[test]
fn text_and_markdown_say_the_same() {
    let target = at_work(python3(), "leaky_service");
    let text = hunt(&target, &[]).run().expect(0).stdout;
    for part in [
        &format!("LEAK 1  {PLACE}  (dict)  +"),
        "leaky_service.Connection, were ",
        "path     sys.modules['leaky_service'].SERVICE.pool.connections[*]",
        "package  leaky_service",
        "why      grew in 3 of 3 intervals",
        "known as ",
        &format!("next     leakhunt hunt --pid {} --trace", target.pid),
        "memory    RSS ",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let markdown = hunt(&target, &["--format", "markdown"]).run().expect(0);
    let markdown = markdown.stdout;
    for part in ["### leakhunt: 1 leak\n", &format!("| `{PLACE}` | `")] {
        assert!(markdown.contains(part), "no {part:?} in\n{markdown}");
    }
    target.finish_unharmed();
}

#[test]
fn a_trace_names_the_line_that_makes_the_objects() {
    on_each(few(), |py| {
        let mut target = at_work(py, "leaky_service");
        target.exec("import tracemalloc");
        let before = Fingerprint::of(&mut target);
        let found = hunt(&target, &["--trace", "--json"]).run().expect(0).json();
        let leak = &found["findings"][0];
        assert_eq!(leak["place"], PLACE, "{found}");
        let n_found = found["findings"].as_array().unwrap().len();
        assert_eq!(n_found, 1, "what tracemalloc keeps is none: {found}");
        let line = target.eval("fixture.Service.connect.__code__.co_firstlineno + 1");
        let made_at = leak["made_at"][0].as_str().unwrap_or_default();
        assert!(
            made_at.ends_with(&format!("leaky_service.py:{line}")),
            "{leak}"
        );
        let next = leak["next"].as_str().unwrap();
        assert!(next.contains("--type 'leaky_service.Connection'"), "{next}");
        assert_eq!(target.eval("tracemalloc.is_tracing()"), json!(false));
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn a_leak_fails_a_build_unless_it_is_accepted() {
    let target = at_work(python3(), "leaky_service");
    let failed = hunt(&target, &["--fail", "--json"]).run().expect(1).json();
    let fingerprint = failed["findings"][0]["fingerprint"].as_str().unwrap();
    let accepted = scratch_file("accepted.txt");
    fs::write(
        &accepted,
        format!("# known\n\n  {fingerprint}  the pool, #17\n"),
    )
    .unwrap();
    let accept = accepted.to_str().unwrap();
    let passed = hunt(&target, &["--fail", "--accept", accept, "--json"]);
    let passed = passed.run().expect(0).json();
    assert_eq!(passed["findings"][0]["accepted"], true, "{passed}");
    assert_eq!(passed["verdict"], "accepted", "{passed}");
    let text = hunt(&target, &["--accept", accept]).run().expect(0).stdout;
    assert!(text.contains("LEAK 1 (accepted)"), "{text}");
    // Another one is no reason to pass.
    fs::write(&accepted, "0123456789abcdef\n").unwrap();
    hunt(&target, &["--fail", "--accept", accept])
        .run()
        .expect(1);
    fs::remove_file(accepted).unwrap();
    target.finish_unharmed();
}

#[test]
fn a_service_without_a_leak_passes() {
    on_each(few(), |py| {
        let target = at_work(py, "bounded_service");
        let found = hunt(&target, &["--fail", "--json"]).run().expect(0).json();
        assert_eq!(found["findings"], json!([]), "{found}");
        target.finish_unharmed();
    });
}

#[test]
fn busy_services_without_a_leak_have_no_findings() {
    on_each(few(), |py| {
        for kind in ["threads", "asyncio_server", "busy_python"] {
            let target = Target::start(py, kind);
            let options = ["--for", "3s", "--scans", "7", "--json"];
            let found = Leakhunt::at(target.pid, "hunt", &options).run();
            let found = found.expect(0).json();
            assert_eq!(found["findings"], json!([]), "{kind}: {found:#}");
            target.finish_unharmed();
        }
    });
}

#[test]
fn a_file_that_accepts_nothing_is_bad_input() {
    let target = Target::start(python3(), "idle");
    let file = scratch_file("accepted.txt");
    fs::write(&file, "# known\n0123456789abcdef\nRENDER_CACHE\n").unwrap();
    let accept = file.to_str().unwrap();
    let done = hunt(&target, &["--accept", accept]).run().expect(2);
    done.expect_stderr("line 3").expect_stderr(accept);
    fs::remove_file(&file).unwrap();
    let done = hunt(&target, &["--accept", accept]).run().expect(2);
    done.expect_stderr("--accept").expect_stderr(accept);
    target.finish_unharmed();
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    for (args, told) in [
        (&["--scans", "3"][..], "4"),
        (&["--for", "0"], "--for"),
        (&["--account", "--trace"], "--trace"),
        (&["--format", "html"], "markdown"),
    ] {
        let done = Leakhunt::new(["hunt", "--pid", "1"]).args(args).run();
        done.expect(2).expect_stderr(told);
    }
}

#[test]
fn a_process_that_does_not_exist_is_refused() {
    let done = Leakhunt::new(["hunt", "--pid", "4194305"]).run().expect(3);
    done.expect_stderr("process 4194305 does not exist")
        .expect_stderr("leakhunt ps");
}

#[test]
fn ctrl_c_ends_it_with_the_verdict_so_far() {
    on_each(few(), |py| {
        let mut target = at_work(py, "leaky_service");
        let before = Fingerprint::of(&mut target);
        let options = ["--for", "20s", "--scans", "41", "-v", "--json"];
        let running = Leakhunt::at(target.pid, "hunt", &options).start();
        running.told(A_LOOK, 6);
        running.signal(libc::SIGINT);
        let done = running.end(LIMIT).expect(0);
        let found = done.json();
        let n_looks = found["looks"].as_u64().unwrap();
        assert!((5..41).contains(&n_looks), "{found}");
        assert_eq!(found["findings"][0]["place"], PLACE, "{found}");
        let notes = found["notes"].to_string();
        assert!(notes.contains("ended early"), "{notes}");
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn ctrl_c_after_few_looks_says_that_they_are_too_few() {
    let mut target = Target::start(python3(), "idle");
    let before = Fingerprint::of(&mut target);
    let running = long_hunt(&target, &[]);
    running.told("detached", 1);
    running.signal(libc::SIGINT);
    let done = running.end(LIMIT).expect(0);
    assert!(done.stdout.contains("too few looks to tell"), "{done:#?}");
    assert_unharmed(&before, &mut target);
    target.finish_unharmed();
}

#[test]
fn ctrl_c_before_the_first_look_is_an_interruption() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "idle");
        target.exec(
            "import ctypes; native = ctypes.PyDLL(None); byte = ctypes.create_string_buffer(1)",
        );
        let before = Fingerprint::of(&mut target);
        let n_threads = threads(target.pid).len();
        // Native code that keeps the interpreter until there is a byte.
        target.send(&json!({ "eval": "native.read(0, byte, 1)" }));
        let running = Leakhunt::at(target.pid, "hunt", &["-v"]).start();
        let is_in = || (threads(target.pid).len() > n_threads).then_some(());
        eventually(LIMIT, is_in).expect("the agent is in the target");
        running.signal(libc::SIGINT);
        let done = running.end(LIMIT).expect(130);
        assert_eq!(done.stdout, "");
        target.send_byte(b'x');
        assert_eq!(target.answer(LIMIT), json!({ "ok": 1 }));
        let is_alone = || (threads(target.pid).len() == n_threads).then_some(());
        eventually(LIMIT, is_alone).expect("the agent leaves");
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn a_target_that_ends_is_judged_by_what_was_seen() {
    on_each(few(), |py| {
        let target = at_work(py, "leaky_service");
        let options = ["--for", "20s", "--scans", "41", "-v", "--json"];
        let running = Leakhunt::at(target.pid, "hunt", &options).start();
        running.told(A_LOOK, 6);
        target.finish_unharmed();
        let done = running.end(LIMIT).expect(4).expect_stderr("exited");
        let found = done.json();
        assert_eq!(found["findings"][0]["place"], PLACE, "{found}");
        assert_eq!(found["memory"], json!(null), "its memory is gone");
    });
}

#[test]
fn a_leakhunt_that_is_killed_leaves_the_target_unharmed() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "threads");
        target.exec("import tracemalloc");
        let before = Fingerprint::of(&mut target);
        let running = long_hunt(&target, &["--trace"]);
        running.told(A_LOOK, 1);
        assert_eq!(target.eval("tracemalloc.is_tracing()"), json!(true));
        running.signal(libc::SIGKILL);
        running.end(LIMIT);
        eventually(LIMIT, || {
            let is_tracing = target.eval("tracemalloc.is_tracing()");
            (is_tracing == json!(false)).then_some(())
        })
        .expect("tracing ends");
        eventually(LIMIT, || {
            let now = Fingerprint::of(&mut target);
            before.differences(&now).is_empty().then_some(())
        });
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn a_closed_pipe_is_success() {
    let target = Target::start(python3(), "idle");
    let mut child = Command::new("sh")
        .args(["-c", "\"$@\"; echo $? >&2", "sh"])
        .arg(program())
        .args(["hunt", "--for", "100ms", "--pid", &target.pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert_eq!(stderr, "0\n", "exit code, and nothing else");
    target.finish_unharmed();
}

#[test]
fn a_command_is_started_and_its_exit_code_passed_on() {
    on_each(few().into_iter().filter(|py| py.sees_our_files()), |py| {
        let end = scratch_file("end");
        let script = "import os, sys, time
kept = []
while not os.path.exists(sys.argv[1]):
    kept.append([])
    time.sleep(0.01)
sys.exit(9)";
        let mut running = Leakhunt::new(["hunt", "--format", "markdown"])
            .args(&LOOKS)
            .arg("--")
            .arg(&py.executable)
            .args(&["-c", script])
            .arg(&end)
            .start();
        // There is a verdict while the command goes on.
        while !running.line().starts_with("| `__main__.kept` |") {}
        fs::write(&end, "").unwrap();
        running.end(LIMIT).expect(9);
        fs::remove_file(end).unwrap();
    });
}

#[test]
fn a_command_that_ends_at_once_is_told_of() {
    let done = Leakhunt::new(["hunt", "--"])
        .arg(&python3().executable)
        .args(&["-c", "pass"])
        .run();
    // It may be seen alive, ending, or gone.
    done.expect(4).expect_stderr("process ");
}
