//! Which processes of this machine run a CPython, and what stands in the way of an attach.

use std::time::Duration;

use crate::cgroup::memory_limit_bytes;
use crate::interpreter::{Found, find, version_by_names};
use crate::maps::{Mapping, mappings};
use crate::memory::{CachedMemory, Memory};
use crate::preflight::look;
use crate::status::Status;
use crate::{AttachError, FrontDoor};

/// A process that runs a CPython, or seems to where its memory cannot be read.
#[derive(Debug)]
pub struct Candidate {
    /// Its process id, as the caller sees it.
    pub pid: u32,
    /// The effective user id it runs as.
    pub uid: u32,
    /// Python's version as far as it can be told without an attach: `3.12.1`, `3.9` or nothing.
    pub python: Option<String>,
    /// Resident memory.
    pub rss_bytes: u64,
    /// The lowest `memory.max` of its cgroups; `None` where there is no limit.
    pub limit_bytes: Option<u64>,
    /// Time since its start.
    pub uptime: Duration,
    /// Its command line, arguments separated by blanks, control characters escaped.
    pub command: String,
    /// Whether it has opened a door to the agent itself, which lets us in.
    pub has_door: bool,
    /// What would make an attach fail; `None` where nothing is known to.
    pub obstacle: Option<AttachError>,
}

/// All processes that run a CPython, by process id.
pub fn candidates() -> Vec<Candidate> {
    let own = std::process::id();
    let mut candidates: Vec<_> = process_ids()
        .filter(|&pid| pid != own)
        .filter_map(candidate)
        .collect();
    candidates.sort_by_key(|candidate| candidate.pid);
    candidates
}

/// A process of a tree.
#[derive(Debug)]
pub struct TreeProcess {
    /// Its process id, as the caller sees it.
    pub pid: u32,
    /// Its command line, as [`Candidate::command`].
    pub command: String,
    /// What it runs; `None` where that is no CPython.
    pub candidate: Option<Candidate>,
}

/// A process and all that descend from it, but not the caller; parents before their children, the first
/// started first. Empty when there is no such process. What is left of one whose end nobody has asked
/// for is not in it. Reads the status of all processes of the machine, some 20 µs each.
pub fn process_tree(root: u32) -> Vec<TreeProcess> {
    let own = std::process::id();
    let status = |pid| Some((pid, Status::of(pid).ok()?));
    let all: Vec<(u32, Status)> = process_ids()
        .filter_map(status)
        .filter(|(pid, status)| *pid != own && status.rss_bytes.is_some())
        .collect();
    let parents: Vec<(u32, u32)> = all
        .iter()
        .map(|(pid, status)| (*pid, status.parent))
        .collect();
    in_tree(root, &parents)
        .into_iter()
        .filter_map(|pid| {
            let (_, status) = all.iter().find(|(one, _)| *one == pid)?;
            Some(TreeProcess {
                pid,
                command: command(pid, status),
                candidate: candidate(pid),
            })
        })
        .collect()
}

/// The root, where there is one, and who descends from it; of processes and their parents.
fn in_tree(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let is_there = parents.iter().any(|&(pid, _)| pid == root);
    let mut found: Vec<u32> = is_there.then_some(root).into_iter().collect();
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        let mut children: Vec<u32> = parents
            .iter()
            .filter(|&&(pid, of)| of == parent && !found.contains(&pid))
            .map(|&(pid, _)| pid)
            .collect();
        children.sort_unstable();
        found.extend(children);
    }
    found
}

fn process_ids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// `None` for a process without Python, and for one that has vanished.
fn candidate(pid: u32) -> Option<Candidate> {
    let status = Status::of(pid).ok()?;
    let rss_bytes = status.rss_bytes?;
    let (python, obstacle) = match look(pid) {
        Ok(target) => (target.interpreter.version, None),
        Err(
            AttachError::NoSuchProcess { .. }
            | AttachError::Exited { .. }
            | AttachError::IsThread { .. }
            | AttachError::KernelThread { .. }
            | AttachError::NotPython { .. }
            | AttachError::OtherArchitecture { .. },
        ) => return None,
        Err(error) => (identify(pid, &status)?, Some(error)),
    };
    Some(Candidate {
        pid,
        uid: status.uid,
        python,
        rss_bytes,
        limit_bytes: memory_limit_bytes(pid),
        uptime: uptime(pid)?,
        command: command(pid, &status),
        has_door: opens_to_us(&status) && FrontDoor::of(pid).is_some(),
        obstacle,
    })
}

/// Whether a door of that process would let us in, as its own user or root.
fn opens_to_us(status: &Status) -> bool {
    // SAFETY: geteuid cannot fail and touches no memory.
    let own_uid = unsafe { libc::geteuid() };
    own_uid == 0 || own_uid == status.uid
}

/// Whether a process that cannot be attached runs a Python, and which: by its memory, or where that
/// cannot be read by names.
fn identify(pid: u32, status: &Status) -> Option<Option<String>> {
    let mappings = mappings(pid).unwrap_or_default();
    if let Ok(memory) = Memory::open(pid) {
        return match find(&CachedMemory::new(&memory, &mappings), &mappings) {
            Found::Python(interpreter) => Some(interpreter.version),
            Found::Static => seems_python(pid, status, &mappings).then_some(None),
            Found::Nothing | Found::OtherArchitecture => None,
        };
    }
    seems_python(pid, status, &mappings).then(|| {
        let by_name = || {
            names(pid, status)
                .iter()
                .find_map(|name| version_of_name(name))
        };
        version_by_names(&mappings).or_else(by_name)
    })
}

/// File names of its program: where it is, how it was called, what it calls itself.
fn names(pid: u32, status: &Status) -> [String; 3] {
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let first = arguments
        .split(|&byte| byte == 0)
        .next()
        .unwrap_or_default();
    let paths = [exe.to_string_lossy(), String::from_utf8_lossy(first)];
    let [exe, first] = paths.map(|path| file_name(&path).into());
    [exe, first, status.comm.clone()]
}

fn file_name(path: &str) -> &str {
    let path = path.trim_end_matches(" (deleted)");
    path.rsplit('/').next().unwrap_or(path)
}

fn seems_python(pid: u32, status: &Status, mappings: &[Mapping]) -> bool {
    names(pid, status).iter().any(|name| is_python_name(name))
        || mappings
            .iter()
            .any(|mapping| mapping.file_name().starts_with("libpython"))
}

/// `python`, `python3`, `python3.13t`.
fn is_python_name(name: &str) -> bool {
    name.strip_prefix("python").is_some_and(|rest| {
        let rest = rest.trim_end_matches(['t', 'd', 'm']);
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    })
}

/// `python3.9` is `3.9`.
fn version_of_name(name: &str) -> Option<String> {
    let version = name.strip_prefix("python")?;
    let version = version.trim_end_matches(['t', 'd', 'm']);
    (version.starts_with("3.") && version.len() > 2).then(|| version.into())
}

/// Since the start as the kernel counts it, in ticks after the boot.
fn uptime(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let since_boot = std::fs::read_to_string("/proc/uptime").ok()?;
    let since_boot: f64 = since_boot.split_whitespace().next()?.parse().ok()?;
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let started = start_ticks(&stat)? as f64 / ticks_per_second.max(1) as f64;
    Duration::try_from_secs_f64((since_boot - started).max(0.0)).ok()
}

/// The 22nd field; the second one is a name that may hold blanks and parentheses.
pub(crate) fn start_ticks(stat: &str) -> Option<u64> {
    const FIELDS_AFTER_NAME: usize = 19;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(FIELDS_AFTER_NAME)?.parse().ok()
}

fn command(pid: u32, status: &Status) -> String {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if arguments.is_empty() {
        return format!("[{}]", status.comm);
    }
    printable(&arguments)
}

/// Arguments that end with a zero each, as one line.
fn printable(arguments: &[u8]) -> String {
    let arguments = arguments.strip_suffix(b"\0").unwrap_or(arguments);
    let text = String::from_utf8_lossy(arguments).replace('\0', " ");
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Control characters, and those that change the direction of what follows.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_cannot_play_with_the_terminal() {
        let line = printable(b"python3\0-c\0print('a\x1b[2J\n')\0");
        assert_eq!(line, "python3 -c print('a\\u{1b}[2J\\n')");
        assert_eq!(printable("a\u{202e}b\0".as_bytes()), "a\\u{202e}b");
        assert_eq!(printable("caf\u{e9}\0".as_bytes()), "caf\u{e9}");
        assert_eq!(printable(b"\xff"), "\u{fffd}");
    }

    #[test]
    fn a_python_is_known_by_its_name() {
        for name in [
            "python",
            "/usr/bin/python3.13t",
            "python3.14d (deleted)",
            "python3",
        ] {
            assert!(is_python_name(file_name(name)), "{name}");
        }
        for name in ["pythonic", "bash", "/opt/python/bin/uwsgi", ""] {
            assert!(!is_python_name(file_name(name)), "{name}");
        }
        assert_eq!(version_of_name("python3.13t"), Some("3.13".into()));
        assert_eq!(version_of_name("python3"), None);
    }

    #[test]
    fn a_tree_has_all_who_descend_from_its_root_and_nobody_else() {
        let parents = [(9, 7), (1, 0), (7, 1), (8, 7), (12, 9), (3, 1), (20, 3)];
        assert_eq!(in_tree(7, &parents), [7, 8, 9, 12]);
        assert_eq!(in_tree(12, &parents), [12]);
        assert_eq!(in_tree(5, &parents), Vec::<u32>::new());
        // Read at different moments, a number may have come again.
        assert_eq!(in_tree(1, &[(1, 2), (2, 1)]), [1, 2]);
    }

    #[test]
    fn who_runs_no_python_is_in_the_tree_without_it() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let tree = process_tree(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(tree.len(), 1, "{tree:?}");
        assert_eq!(tree[0].pid, child.id());
        assert!(tree[0].candidate.is_none());
        assert_eq!(process_tree(child.id()).len(), 0, "it has ended");
        let own = std::process::id();
        assert!(process_tree(own).iter().all(|one| one.pid != own));
    }

    #[test]
    fn the_start_is_found_behind_a_name_with_parentheses() {
        let stat = "7 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(start_ticks(stat), Some(4242));
        assert_eq!(start_ticks("7 (a"), None);
    }
}
