//! A Python process for the program to look at, and the test's line to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::interpreters::Interpreter;
use super::limit::{LIMIT, ended, eventually};
use super::proc::{descendants, innermost_pid, kill, status_field};

/// What a target that ends by itself exits with.
pub(crate) const EXIT_CODE: i32 = 7;

const HARNESS: &str = include_str!("../targets/harness.py");

/// The source of a target in `tests/targets/`, with the harness in front.
macro_rules! target_source {
    ($name:literal) => {
        include_str!(concat!("../targets/", $name, ".py"))
    };
}

/// Scripts by name.
fn source(name: &str) -> &'static str {
    match name {
        "asyncio_server" => target_source!("asyncio_server"),
        "atexit_callbacks" => target_source!("atexit_callbacks"),
        "big_places" => target_source!("big_places"),
        "busy_c" => target_source!("busy_c"),
        "busy_python" => target_source!("busy_python"),
        "busy_regex" => target_source!("busy_regex"),
        "caches" => target_source!("caches"),
        "daemon_threads" => target_source!("daemon_threads"),
        "doored" => target_source!("doored"),
        "extension_zoo" => target_source!("extension_zoo"),
        "fixture_host" => target_source!("fixture_host"),
        "fork_loop" => target_source!("fork_loop"),
        "guppy_oracle" => target_source!("guppy_oracle"),
        "ha_sources" => target_source!("ha_sources"),
        "hostile_reprs" => target_source!("hostile_reprs"),
        "idle" => target_source!("idle"),
        "inspected" => target_source!("inspected"),
        "inspected_clients" => target_source!("inspected_clients"),
        "loops" => target_source!("loops"),
        "memory_states" => target_source!("memory_states"),
        "never_lets_go" => target_source!("never_lets_go"),
        "named_places" => target_source!("named_places"),
        "seccomp" => target_source!("seccomp"),
        "secrets" => target_source!("secrets"),
        "shop" => target_source!("shop"),
        "signals" => target_source!("signals"),
        "sockets" => target_source!("sockets"),
        "subreaper" => target_source!("subreaper"),
        "subprocess_loop" => target_source!("subprocess_loop"),
        "tasks" => target_source!("tasks"),
        "threads" => target_source!("threads"),
        "waiting_threads" => target_source!("waiting_threads"),
        "workers" => target_source!("workers"),
        "zoo" => target_source!("zoo"),
        _ => panic!("no target called {name}"),
    }
}

/// How to start a target.
#[derive(Debug)]
pub(crate) struct Start {
    command: Command,
    name: String,
}

impl Start {
    /// Of a script of `tests/targets/`.
    pub(crate) fn new(interpreter: &Interpreter, script: &str) -> Self {
        Self::wrapped(&[], interpreter, script)
    }

    /// Of a script under another command, such as `unshare --pid --fork`.
    pub(crate) fn wrapped(wrapper: &[&str], interpreter: &Interpreter, script: &str) -> Self {
        let python = interpreter.command();
        let mut command = match wrapper {
            [] => python,
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command
                    .args(rest)
                    .arg(python.get_program())
                    .args(python.get_args());
                command
            }
        };
        command
            .arg("-c")
            .arg(format!("{HARNESS}\n{}", source(script)));
        Self::of(command, &format!("{script} on {interpreter}"))
    }

    /// Of any command that speaks the harness's protocol.
    pub(crate) fn of(mut command: Command, name: &str) -> Self {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let name = name.to_owned();
        Self { command, name }
    }

    /// With an argument, `sys.argv[1]` and so on.
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// With packages that are imported from `folder`.
    pub(crate) fn packages(mut self, folder: &PathBuf) -> Self {
        self.command.env("PYTHONPATH", folder);
        self
    }

    /// The command, to change what is not foreseen here.
    pub(crate) fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn ready(mut self) -> Target {
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", self.name));
        let stdin = child.stdin.take();
        let lines = lines_of(child.stdout.take().unwrap());
        let stderr = bytes_of(child.stderr.take().unwrap());
        let pid = child.id();
        let name = self.name;
        let noise = Vec::new();
        let mut target = Target {
            child,
            pid,
            name,
            stdin,
            lines,
            noise,
            stderr,
        };
        let ready = target.answer(LIMIT);
        let inner_pid = ready["ready"]
            .as_u64()
            .unwrap_or_else(|| panic!("{target:?}: {ready}"));
        let pids = eventually(LIMIT, || {
            let started = target.child.id();
            let family = std::iter::once(started).chain(descendants(started));
            family
                .into_iter()
                .find(|&pid| innermost_pid(pid) == Some(inner_pid))
        });
        target.pid = pids.unwrap_or_else(|| panic!("{target:?} is nowhere in /proc"));
        target
    }
}

/// A running target. Killed when dropped.
pub(crate) struct Target {
    child: Child,
    /// Of the Python process, as this machine sees it.
    pub(crate) pid: u32,
    name: String,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    noise: Vec<String>,
    stderr: Receiver<Vec<u8>>,
}

/// How a target ended.
#[derive(Debug)]
pub(crate) struct End {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What stood on stdout that is no answer.
    pub(crate) noise: Vec<String>,
    /// All of stderr.
    pub(crate) stderr: String,
}

impl Target {
    /// Of a script of `tests/targets/`.
    pub(crate) fn start(interpreter: &Interpreter, script: &str) -> Self {
        Start::new(interpreter, script).ready()
    }

    /// The value of an expression in the target.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        self.ask(&json!({ "eval": expression }))
    }

    /// Runs statements in the target.
    pub(crate) fn exec(&mut self, statements: &str) {
        self.ask(&json!({ "exec": statements }));
    }

    /// As `eval`; afterwards a busy target holds still until [`Target::go_on`].
    pub(crate) fn hold(&mut self, expression: &str) -> Value {
        self.ask(&json!({ "eval": expression, "hold": true }))
    }

    /// Ends a `hold`.
    pub(crate) fn go_on(&mut self) {
        self.ask(&json!({ "eval": "None" }));
    }

    /// Sends a request without waiting for its answer.
    pub(crate) fn send(&mut self, request: &Value) {
        let stdin = self.stdin.as_mut().expect("finish() has not been called");
        let sent = stdin.write_all(format!("{request}\n").as_bytes());
        if sent.is_err() {
            panic!("{self:?} has closed its stdin");
        }
    }

    /// Sends a byte to a target that waits for one.
    pub(crate) fn send_byte(&mut self, byte: u8) {
        let stdin = self.stdin.as_mut().expect("finish() has not been called");
        stdin.write_all(&[byte]).unwrap();
    }

    /// The next answer.
    pub(crate) fn answer(&mut self, limit: Duration) -> Value {
        loop {
            match self.lines.recv_timeout(limit) {
                Ok(line) => match line.strip_prefix(b"\x01") {
                    Some(json) => return serde_json::from_slice(json).unwrap(),
                    None => self.noise.push(String::from_utf8_lossy(&line).into_owned()),
                },
                Err(RecvTimeoutError::Timeout) => panic!("{self:?} does not answer"),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = ended(&mut self.child, LIMIT);
                    let stderr = self.stderr.recv_timeout(LIMIT).unwrap_or_default();
                    let stderr = String::from_utf8_lossy(&stderr).into_owned();
                    panic!("{self:?} has ended ({status:?}): {stderr}");
                }
            }
        }
    }

    fn ask(&mut self, request: &Value) -> Value {
        self.send(request);
        let mut answer = self.answer(LIMIT);
        match answer.get_mut("ok") {
            Some(value) => value.take(),
            None => panic!("{self:?}: {request}: {answer}"),
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Stops it by a signal, and waits until it stands.
    pub(crate) fn stop(&self) {
        kill(self.pid, libc::SIGSTOP);
        let stopped = eventually(LIMIT, || self.is_stopped().then_some(()));
        assert!(stopped.is_some(), "{self:?} does not stop");
    }

    /// Whether a signal has stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        status_field(self.pid, "State").is_some_and(|state| state.starts_with('T'))
    }

    /// Ends a `stop`.
    pub(crate) fn resume(&self) {
        kill(self.pid, libc::SIGCONT);
    }

    /// Closes its stdin, at which it ends by itself, and waits for that.
    pub(crate) fn finish(mut self) -> End {
        drop(self.stdin.take());
        self.end()
    }

    /// Waits until it ends.
    pub(crate) fn end(mut self) -> End {
        let Some(status) = ended(&mut self.child, LIMIT) else {
            panic!("{self:?} does not end");
        };
        let rest = self.lines.iter().filter(|line| !line.starts_with(b"\x01"));
        self.noise
            .extend(rest.map(|line| String::from_utf8_lossy(&line).into_owned()));
        let stderr = self.stderr.recv_timeout(LIMIT).unwrap_or_default();
        End {
            code: status.code(),
            noise: std::mem::take(&mut self.noise),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Ends it and checks that it ended as it would have without us, without output of ours.
    pub(crate) fn finish_unharmed(self) {
        let name = self.name.clone();
        self.finish().check_unharmed(&name);
    }
}

impl End {
    /// Fails unless the exit code is the target's own and there is no output.
    pub(crate) fn check_unharmed(&self, name: &str) {
        assert_eq!(self.code, Some(EXIT_CODE), "{name}: exit code, {self:?}");
        assert!(
            self.noise.is_empty(),
            "{name}: its stdout is not its own: {self:?}"
        );
        assert_eq!(self.stderr, "", "{name}: its stderr is not empty");
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "target {} ({})", self.pid, self.name)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        for pid in descendants(self.child.id()) {
            super::proc::kill(pid, libc::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn bytes_of(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}
