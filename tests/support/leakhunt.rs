//! Runs of the program.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::limit::{LIMIT, ended, eventually};
use super::proc::kill;

/// A command line of the program.
#[derive(Debug)]
pub(crate) struct Leakhunt {
    command: Command,
    limit: Duration,
}

/// How a run of the program ended.
pub(crate) struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What was run, for the message of a failure.
    command: String,
}

/// The program that is tested.
pub(crate) fn program() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_leakhunt"));
    std::env::var_os("LEAKHUNT_BIN").map_or_else(built, PathBuf::from)
}

/// The program at a place where every user can run it.
pub(crate) fn program_for_everybody() -> PathBuf {
    let copy = std::env::temp_dir().join(format!("leakhunt-test-{}", std::process::id()));
    static COPIED: std::sync::Once = std::sync::Once::new();
    COPIED.call_once(|| {
        // Not by this process: another thread's child would have it open for writing until its exec.
        let mut cp = Command::new("cp");
        cp.arg(program()).arg(&copy);
        assert!(cp.status().unwrap().success(), "{cp:?}");
        std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    });
    copy
}

impl Leakhunt {
    /// With arguments.
    pub(crate) fn new<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(program());
        command.args(args);
        Self::of(command)
    }

    /// Of a command that runs the program in some way.
    pub(crate) fn of(mut command: Command) -> Self {
        command
            .env_remove("NO_COLOR")
            .env("COLUMNS", "120")
            .stdin(Stdio::null());
        Self {
            command,
            limit: LIMIT,
        }
    }

    /// `leakhunt COMMAND --pid PID ARGS`.
    pub(crate) fn at(pid: u32, command: &str, args: &[&str]) -> Self {
        let pid = pid.to_string();
        Self::new([command, "--pid", &pid].iter().chain(args))
    }

    /// With another argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// With more arguments.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// By another user: the program without any privilege.
    pub(crate) fn by_user(mut self, uid: u32) -> Self {
        self.command.uid(uid).gid(uid);
        self
    }

    /// With so much time to its end.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Finished {
        let limit = self.limit;
        self.start().end(limit)
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let command = format!("{:?}", self.command);
        let mut child = self
            .command
            .spawn()
            .unwrap_or_else(|e| panic!("{command}: {e}"));
        let lines = lines_of(child.stdout.take().unwrap());
        let stderr = Stderr::of(child.stderr.take().unwrap());
        let seen = String::new();
        Running {
            child,
            lines,
            stderr,
            seen,
            command,
        }
    }
}

/// A run of the program that has not ended. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: Stderr,
    seen: String,
    command: String,
}

impl Running {
    /// The next line of its stdout.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(LIMIT) {
            Ok(line) => {
                self.seen.push_str(&line);
                self.seen.push('\n');
                line
            }
            Err(_) => {
                let stderr = self.stderr.whole(Duration::from_secs(1));
                panic!("{}: no further line; stderr: {stderr}", self.command)
            }
        }
    }

    /// Waits until `text` stands on its stderr so many times.
    pub(crate) fn told(&self, text: &str, n_times: usize) {
        let is_told = || (self.stderr.so_far().matches(text).count() >= n_times).then_some(());
        if eventually(LIMIT, is_told).is_none() {
            let stderr = self.stderr.so_far();
            panic!("{}: no {text:?} {n_times} times in {stderr}", self.command);
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) {
        kill(self.child.id(), signal);
    }

    /// Waits for its end.
    pub(crate) fn end(mut self, limit: Duration) -> Finished {
        let Some(status) = ended(&mut self.child, limit) else {
            let _ = self.child.kill();
            let stderr = self.stderr.whole(LIMIT);
            panic!(
                "{}: not ended after {limit:?}; stderr: {stderr}",
                self.command
            );
        };
        let mut stdout = std::mem::take(&mut self.seen);
        // Whoever reads it may have to wait for a processor.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(30)) {
            stdout.push_str(&line);
            stdout.push('\n');
        }
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout,
            stderr: self.stderr.whole(Duration::from_secs(5)),
            command: self.command.clone(),
        }
    }
}

/// What stands on its stderr.
#[derive(Debug)]
struct Stderr {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: Receiver<()>,
}

impl Stderr {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let (sender, end) = channel();
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let collected = bytes.clone();
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(n @ 1..) = stream.read(&mut part) {
                collected.lock().unwrap().extend_from_slice(&part[..n]);
            }
            let _ = sender.send(());
        });
        Self { bytes, end }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// All of it, if it ends within `limit`.
    fn whole(&self, limit: Duration) -> String {
        let _ = self.end.recv_timeout(limit);
        self.so_far()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{}: code {:?}, signal {:?}",
            self.command, self.code, self.signal
        )?;
        let stdout: String = self.stdout.chars().take(4000).collect();
        write!(f, "stdout:\n{stdout}\nstderr:\n{}", self.stderr)
    }
}

impl Finished {
    /// Fails unless the exit code is `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code of {self:#?}");
        self
    }

    /// Fails unless stderr holds `text`.
    #[track_caller]
    pub(crate) fn expect_stderr(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "no {text:?} on the stderr of {self:#?}"
        );
        self
    }

    /// Its stdout as lines of JSON.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines
            .map(|line| parsed(line).unwrap_or_else(|e| panic!("{e}: {line:?} of {self:#?}")))
            .collect()
    }

    /// Its stdout as one document of JSON, or as the list of its lines.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        parsed(&self.stdout).unwrap_or_else(|_| Value::Array(self.json_lines()))
    }
}

fn parsed(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { return };
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    receiver
}
