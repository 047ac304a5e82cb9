use serde_json::Value;

use crate::support::{
    Fingerprint, Leakhunt, Start, Target, all, assert_unharmed, on_each, python3,
};

/// The entry of a process in `ps --json`: the JSON object with that `pid`.
fn entry(document: &Value, pid: u32) -> Option<&Value> {
    match document {
        Value::Object(fields) if fields.get("pid").is_some_and(|own| *own == pid) => Some(document),
        Value::Array(items) => items.iter().find_map(|item| entry(item, pid)),
        Value::Object(fields) => fields.values().find_map(|value| entry(value, pid)),
        _ => None,
    }
}

#[test]
fn each_interpreter_is_listed_with_its_version() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "idle");
        let before = Fingerprint::of(&mut target);
        let document = Leakhunt::new(["ps", "--json"]).run().expect(0).json();
        let entry = entry(&document, target.pid).unwrap_or_else(|| panic!("not in {document}"));
        let version = entry["python"].as_str().unwrap_or_default();
        let minor = format!("{}.{}", py.version.0, py.version.1);
        assert!(version.is_empty() || version.starts_with(&minor), "{entry}");
        assert!(
            entry.to_string().contains("harness") || entry["command"].is_string(),
            "{entry}"
        );
        assert!(
            entry["rss_bytes"]
                .as_u64()
                .is_some_and(|bytes| bytes > 1_000_000),
            "{entry}"
        );
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

#[test]
fn what_cannot_be_attached_has_a_reason() {
    let mut target = Target::start(python3(), "idle");
    target.stop();
    let document = Leakhunt::new(["ps", "--json"]).run().expect(0).json();
    target.resume();
    let entry = entry(&document, target.pid).unwrap_or_else(|| panic!("not in {document}"));
    assert!(entry.to_string().contains("SIGSTOP"), "{entry}");
    assert!(
        entry.to_string().contains("kill -CONT"),
        "the remedy: {entry}"
    );
    target.eval("None");
    target.finish_unharmed();
}

#[test]
fn a_program_without_python_is_not_listed() {
    let mut sleep = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    let document = Leakhunt::new(["ps", "--json"]).run().expect(0).json();
    let listed = entry(&document, sleep.id()).is_some();
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert!(!listed, "{document}");
}

#[test]
fn control_characters_of_a_command_line_do_not_reach_the_terminal() {
    let target = Start::new(python3(), "idle")
        .arg("\x1b[31mred\nline")
        .ready();
    let done = Leakhunt::new(["ps"]).run().expect(0);
    assert!(!done.stdout.contains('\x1b'), "{done:#?}");
    assert!(done.stdout.contains(&target.pid.to_string()), "{done:#?}");
}

#[test]
fn a_closed_pipe_is_success() {
    let program = crate::support::leakhunt::program();
    let mut command = std::process::Command::new(program);
    command.arg("ps").stdin(std::process::Stdio::null());
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0));
    assert!(
        done.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
