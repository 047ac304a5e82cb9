//! `growth` one look at a time: the target takes a step only while the program is stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::leakhunt::{Finished, Leakhunt, Running};
use super::limit::{LIMIT, eventually};
use super::target::Target;

/// A run of `growth` with a log, which tells when a look is over.
#[derive(Debug)]
pub(crate) struct Lockstep {
    running: Running,
    log: PathBuf,
    n_looks: usize,
}

impl Lockstep {
    /// Starts `growth` and waits for the first look; the program is stopped then.
    pub(crate) fn start(target: &Target, args: &[&str]) -> Self {
        let log = scratch_file("growth.jsonl");
        let running = Leakhunt::at(target.pid, "growth", &["--interval", "1"])
            .arg("--log")
            .arg(&log)
            .args(args)
            .start();
        let mut lockstep = Self {
            running,
            log,
            n_looks: 0,
        };
        lockstep.wait_for_look();
        lockstep
    }

    /// Lets the program go for one more look.
    pub(crate) fn look(&mut self) {
        self.running.signal(libc::SIGCONT);
        self.wait_for_look();
    }

    /// The log.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Ends the program by Ctrl-C.
    pub(crate) fn end(self) -> Finished {
        self.running.signal(libc::SIGCONT);
        self.running.signal(libc::SIGINT);
        self.running.end(LIMIT)
    }

    /// Waits for the next line of the log and stops the program while it waits for its interval.
    fn wait_for_look(&mut self) {
        let wanted = self.n_looks + 1;
        let found = eventually(LIMIT, || {
            let found = records(&self.log).len();
            (found >= wanted).then_some(found)
        });
        let Some(found) = found else {
            panic!("{:?}: no look {wanted} in its log", self.running);
        };
        self.running.signal(libc::SIGSTOP);
        assert_eq!(
            found, wanted,
            "the machine is too slow for one look at a time"
        );
        self.n_looks = wanted;
    }
}

/// The whole lines of a log.
pub(crate) fn records(log: &Path) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A path in the build's folder that no other test and no earlier run uses.
pub(crate) fn scratch_file(name: &str) -> PathBuf {
    static COUNTER: AtomicUsize = AtomicUsize::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scratch");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{}-{number}-{name}", std::process::id()));
    let _ = fs::remove_file(&path);
    path
}
