//! The Python process that is measured.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::print;

/// A running `benches/heap.py`. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Target {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Target {
    /// With so many tracked objects. The interpreter is `LEAKHUNT_BENCH_PYTHON` or `python3`.
    pub(crate) fn start(n_objects: u64) -> Self {
        let python = std::env::var("LEAKHUNT_BENCH_PYTHON").unwrap_or_else(|_| "python3".into());
        let mut command = Command::new(&python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/heap.py"));
        command.arg(n_objects.to_string());
        let peers = [
            ("objgraph", "objgraph==3.7.0"),
            ("guppy", "guppy3==3.1.7"),
            ("pympler", "Pympler==1.1"),
        ];
        let folders = peers
            .into_iter()
            .filter_map(|(module, package)| installed(&python, module, package));
        let folders = std::env::join_paths(folders).expect("they stand beside each other");
        command.env("PYTHONPATH", folders);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 starts");
        let stdin = child.stdin.take().expect("stdin is a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let mut target = Self {
            child,
            stdin,
            stdout,
        };
        target.answer();
        target
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A number that the target measures; `None` where it cannot.
    pub(crate) fn measure(&mut self, what: &str) -> Option<f64> {
        writeln!(self.stdin, "{what}").expect("the target runs");
        self.answer().trim().parse().ok()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the target runs");
        assert!(!line.is_empty(), "the target has ended");
        line
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a package in it, installed once.
fn installed(python: &str, module: &str, package: &str) -> Option<PathBuf> {
    let folder = std::env::temp_dir().join(format!("leakhunt-bench-{module}"));
    if folder.join(module).exists() || folder.join(module).with_extension("py").exists() {
        return Some(folder);
    }
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", package, "--target"])
        .arg(&folder);
    let done = pip.stdin(Stdio::null()).output().ok()?;
    if !done.status.success() {
        print(&format!(
            "{package} cannot be installed: no comparison with it"
        ));
        return None;
    }
    Some(folder)
}
