use std::process::Command;

use crate::support::{Leakhunt, Target, python3, skipped};

const COMMANDS: [&str; 21] = [
    "growth",
    "hunt",
    "sources",
    "dump",
    "snapshot",
    "memory",
    "show",
    "diff",
    "paths",
    "retained",
    "suspects",
    "graph",
    "lru",
    "sockets",
    "tasks",
    "threads",
    "scheduled",
    "asyncio-debug",
    "check",
    "ps",
    "completions",
];

#[test]
fn each_command_has_help_with_examples() {
    for command in COMMANDS {
        let done = Leakhunt::new([command, "--help"]).run().expect(0);
        assert!(done.stdout.contains("Usage"), "{done:#?}");
        assert!(
            done.stdout.contains(&format!("leakhunt {command}")),
            "{done:#?}"
        );
        assert_eq!(done.stderr, "");
    }
    let done = Leakhunt::new(["growth", "--help"]).run().expect(0);
    for option in [
        "--pid",
        "--interval",
        "--count",
        "--limit",
        "--match",
        "--log",
        "--replay",
        "--format",
        "--collect",
        "--json",
        "--max-pause",
        "--timeout",
        "--color",
    ] {
        assert!(
            done.stdout.contains(option),
            "{option} is missing: {done:#?}"
        );
    }
    assert!(done.stdout.contains("xample"), "examples: {done:#?}");
}

#[test]
fn the_bare_program_tells_its_commands() {
    let done = Leakhunt::new(["--help"]).run().expect(0);
    for command in COMMANDS {
        assert!(done.stdout.contains(command), "{done:#?}");
    }
    let version = Leakhunt::new(["--version"]).run().expect(0);
    assert_eq!(
        version.stdout,
        concat!("leakhunt ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn each_shell_has_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let done = Leakhunt::new(["completions", shell]).run().expect(0);
        assert!(done.stdout.contains("growth"), "{shell}");
        assert_eq!(done.stderr, "");
    }
    let script = Leakhunt::new(["completions", "bash"])
        .run()
        .expect(0)
        .stdout;
    let status = Command::new("bash")
        .args(["-n", "-c", &script])
        .status()
        .unwrap();
    assert!(status.success(), "bash can read it");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for args in [
        &[][..],
        &["grow"],
        &["growth", "--interval", "soon"],
        &["growth", "--interval", "-1"],
        &["growth", "--count", "many"],
        &["growth", "--pid", "me"],
        &["growth", "--format", "xml"],
        &["growth", "--match", "("],
        &["growth", "--nonsense"],
        &["dump", "--pid", "1"],
        &["show"],
        &["show", "x", "--sort", "colour"],
        &["diff", "x", "y", "z"],
        &["completions", "tcsh-of-old"],
    ] {
        let done = Leakhunt::new(args).run().expect(2);
        assert!(!done.stderr.is_empty(), "{done:#?}");
        assert_eq!(done.stdout, "", "{done:#?}");
    }
}

#[test]
fn durations_have_units() {
    let target = Target::start(python3(), "idle");
    for interval in ["30", "30s", "5m", "1h"] {
        let args = ["--count", "1", "--json", "--interval", interval];
        Leakhunt::at(target.pid, "growth", &args).run().expect(0);
    }
}

#[test]
fn colour_is_asked_for_and_no_color_is_obeyed() {
    let target = Target::start(python3(), "idle");
    let run = |args: &[&str]| Leakhunt::at(target.pid, "growth", &["--count", "1"]).args(args);
    let plain = run(&[]).run().expect(0);
    assert!(!plain.stdout.contains('\x1b'), "no terminal, no colour");
    assert!(!plain.stderr.contains('\x1b'), "no terminal, no colour");
    let never = run(&["--color", "never"]).run().expect(0);
    assert!(!never.stdout.contains('\x1b'));
    let no_color = run(&["--color", "auto"])
        .env("NO_COLOR", "1")
        .run()
        .expect(0);
    assert!(!no_color.stdout.contains('\x1b'));
}

#[test]
fn quiet_keeps_stderr_empty() {
    let target = Target::start(python3(), "idle");
    let done = Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"])
        .run()
        .expect(0);
    assert_eq!(done.stderr, "");
    assert!(!done.stdout.is_empty());
}

#[test]
fn verbose_tells_of_the_attach_on_stderr() {
    let target = Target::start(python3(), "idle");
    let run = |verbose: &str| {
        let args = ["--count", "1", "--json", verbose];
        Leakhunt::at(target.pid, "growth", &args).run().expect(0)
    };
    assert!(!run("-v").stderr.is_empty());
    assert!(run("-vv").stderr.lines().count() >= run("-v").stderr.lines().count());
}

/// Runs a shell script in a namespace of its own, in which only its processes are.
fn alone(script: &str) -> Option<std::process::Output> {
    let probe = Command::new("unshare").args(WRAPPER).arg("true").output();
    if !probe.as_ref().is_ok_and(|probe| probe.status.success()) {
        skipped(
            "choice of a target without --pid",
            &format!("unshare: {probe:?}"),
        );
        return None;
    }
    let done = Command::new("unshare")
        .args(WRAPPER)
        .args(["sh", "-c", script])
        .env("LEAKHUNT", crate::support::leakhunt::program())
        .env("PYTHON", &python3().executable)
        .output();
    Some(done.unwrap())
}

const WRAPPER: [&str; 5] = [
    "--map-root-user",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
];

/// Starts a Python that says when it is up, and waits for that.
const TARGET: &str = "mkfifo $fifo; \"$PYTHON\" -c 'import time; open(\"'$fifo'\", \"w\").close(); \
    time.sleep(600)' & read up < $fifo; rm $fifo;";

#[test]
fn the_only_python_needs_no_pid() {
    let script =
        format!("fifo=$(mktemp -u); {TARGET} \"$LEAKHUNT\" growth --count 1 --json; echo code $?");
    let Some(done) = alone(&script) else { return };
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(
        told.contains("leakhunt.growth/1") && told.ends_with("code 0\n"),
        "{done:?}"
    );
}

#[test]
fn several_pythons_are_listed_with_exit_code_2() {
    let script = format!(
        "fifo=$(mktemp -u); {TARGET} one=$!; {TARGET} two=$!; \
         \"$LEAKHUNT\" growth --count 1 2>&1; echo code $?; echo pids $one $two"
    );
    let Some(done) = alone(&script) else { return };
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(told.contains("code 2\n"), "{done:?}");
    let (told, pids) = told.split_once("pids ").unwrap();
    for pid in pids.split_whitespace() {
        assert!(
            told.contains(pid) && told.contains("--pid"),
            "{pid} is not in {told}"
        );
    }
}

#[test]
fn no_python_at_all_is_told() {
    let Some(done) = alone("\"$LEAKHUNT\" growth --count 1; echo code $?") else {
        return;
    };
    let code = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        ["code 2\n", "code 3\n"].contains(&code.as_str()),
        "{done:?}"
    );
    assert!(!done.stderr.is_empty());
}
