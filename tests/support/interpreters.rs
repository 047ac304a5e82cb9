//! The interpreters of this machine.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::skip::skipped;

/// A CPython that leakhunt supports.
#[derive(Clone, Debug)]
pub(crate) struct Interpreter {
    /// `python3`, or what the list it stands in calls it.
    pub(crate) name: String,
    /// `sys.version_info[:3]`.
    pub(crate) version: (u32, u32, u32),
    /// Whether it runs without the GIL.
    pub(crate) free_threaded: bool,
    /// Its executable, as seen from within `root`.
    pub(crate) executable: PathBuf,
    /// The other root file system that it lives in.
    pub(crate) root: Option<PathBuf>,
}

impl Interpreter {
    /// A command that starts it, without arguments.
    pub(crate) fn command(&self) -> Command {
        match &self.root {
            Some(root) => {
                let mut command = Command::new("chroot");
                command.arg(root).arg(&self.executable);
                command
            }
            None => Command::new(&self.executable),
        }
    }

    /// Whether the files of this machine are the ones that it sees.
    pub(crate) fn sees_our_files(&self) -> bool {
        self.root.is_none()
    }
}

impl fmt::Display for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor, patch) = self.version;
        write!(f, "{} (CPython {major}.{minor}.{patch})", self.name)
    }
}

/// All interpreters found, `python3` first.
pub(crate) fn all() -> &'static [Interpreter] {
    static FOUND: OnceLock<Vec<Interpreter>> = OnceLock::new();
    FOUND.get_or_init(found)
}

/// The one that every machine has.
pub(crate) fn python3() -> &'static Interpreter {
    &all()[0]
}

/// `python3`, the oldest, the newest, one of the middle and one without the GIL: for what is slow.
pub(crate) fn few() -> Vec<&'static Interpreter> {
    let plain = || all().iter().filter(|py| py.root.is_none());
    let with_gil = || plain().filter(|py| !py.free_threaded);
    let chosen = [
        Some(python3()),
        with_gil().min_by_key(|py| py.version),
        with_gil().find(|py| py.version.0 == 3 && py.version.1 == 12),
        with_gil().max_by_key(|py| py.version),
        plain().find(|py| py.free_threaded),
    ];
    let by_name: BTreeMap<_, _> = chosen
        .into_iter()
        .flatten()
        .map(|py| (&py.name, py))
        .collect();
    by_name.into_values().collect()
}

/// Checks `claim` on each of `interpreters`; fails at the end with the names of those it fails on.
pub(crate) fn on_each<'a>(
    interpreters: impl IntoIterator<Item = &'a Interpreter>,
    claim: impl Fn(&Interpreter),
) {
    let mut n_tried = 0;
    let mut failures = Vec::new();
    for interpreter in interpreters {
        n_tried += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| claim(interpreter))) {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            failures.push(format!("{interpreter}: {}", text.unwrap_or("panicked")));
        }
    }
    assert!(n_tried > 0, "no interpreter to try");
    assert!(
        failures.is_empty(),
        "failed on {} of {n_tried} interpreters:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn found() -> Vec<Interpreter> {
    let mut candidates = vec![("python3".to_owned(), vec!["python3".to_owned()])];
    candidates.extend(of_pyenv());
    candidates.extend(of_the_tool());
    let wanted = std::env::var("LEAKHUNT_TEST_PYTHONS").ok();
    let is_wanted = |name: &str| match &wanted {
        Some(list) => list.split(',').any(|one| one == name),
        None => true,
    };
    let mut interpreters: Vec<Interpreter> = Vec::new();
    for (name, command) in candidates {
        if !is_wanted(&name) {
            continue;
        }
        match probe(&name, &command) {
            Ok(new) if interpreters.iter().any(|known| is_same(known, &new)) => {}
            Ok(new) => interpreters.push(new),
            Err(reason) => skipped(&format!("interpreter {name}"), &reason),
        }
    }
    assert!(!interpreters.is_empty(), "the tests need a python3 >= 3.8");
    let names: Vec<_> = interpreters.iter().map(ToString::to_string).collect();
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "interpreters: {}", names.join(", "));
    interpreters
}

fn is_same(one: &Interpreter, other: &Interpreter) -> bool {
    let real = |py: &Interpreter| py.executable.canonicalize().ok();
    one.root == other.root && one.root.is_none() && real(one) == real(other)
}

fn of_pyenv() -> Vec<(String, Vec<String>)> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let Some(entries) = root
        .or_else(home)
        .and_then(|root| root.join("versions").read_dir().ok())
    else {
        return Vec::new();
    };
    let mut found: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("3."))
        .map(|entry| {
            let python = entry.path().join("bin/python").display().to_string();
            (
                format!("pyenv-{}", entry.file_name().display()),
                vec![python],
            )
        })
        .collect();
    found.sort();
    found
}

fn of_the_tool() -> Vec<(String, Vec<String>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/pythons");
    let tool = std::env::var_os("LEAKHUNT_PYTHONS_TOOL").map_or(beside, PathBuf::from);
    let Ok(listed) = Command::new(tool).arg("list").stdin(Stdio::null()).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, command)| {
            let words = command.split_whitespace().map(str::to_owned);
            (name.to_owned(), words.collect())
        })
        .collect()
}

const PROBE: &str = "import sys, sysconfig
print(sys.implementation.name, *sys.version_info[:3],
      int(bool(sysconfig.get_config_var('Py_GIL_DISABLED'))), sys.executable, sep='\\n')";

fn probe(name: &str, command: &[String]) -> Result<Interpreter, String> {
    let root = match command {
        [first, root, _] if first == "chroot" => Some(PathBuf::from(root)),
        [_] => None,
        _ => return Err(format!("{command:?} is a wrapper")),
    };
    let mut probe = Command::new(&command[0]);
    probe
        .args(&command[1..])
        .args(["-c", PROBE])
        .stdin(Stdio::null());
    let answer = probe.output().map_err(|error| error.to_string())?;
    if !answer.status.success() {
        let stderr = String::from_utf8_lossy(&answer.stderr);
        return Err(stderr.lines().last().unwrap_or("it fails").to_owned());
    }
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let fields: Vec<&str> = text.lines().collect();
    let &[kind, major, minor, patch, free_threaded, executable] = fields.as_slice() else {
        return Err(format!("it answers {text:?}"));
    };
    let number = |text: &str| text.parse::<u32>().map_err(|error| error.to_string());
    let version = (number(major)?, number(minor)?, number(patch)?);
    if kind != "cpython" {
        return Err(format!("{kind} is not CPython"));
    }
    if version < (3, 8, 0) {
        return Err(format!(
            "{major}.{minor} is not supported, 3.8 and later are"
        ));
    }
    Ok(Interpreter {
        name: name.to_owned(),
        version,
        free_threaded: free_threaded == "1",
        executable: PathBuf::from(executable),
        root,
    })
}
