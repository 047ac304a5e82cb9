//! What `/proc` tells of a process, and signals to it.

use std::collections::BTreeMap;
use std::fs;

/// Sends a signal to a process that the test started.
pub(crate) fn kill(pid: u32, signal: i32) {
    let pid = i32::try_from(pid).unwrap();
    assert!(pid > 1);
    // SAFETY: no memory is involved.
    unsafe { libc::kill(pid, signal) };
}

/// A field of `/proc/PID/status`.
pub(crate) fn status_field(pid: u32, field: &str) -> Option<String> {
    field_of(
        &fs::read_to_string(format!("/proc/{pid}/status")).ok()?,
        field,
    )
}

/// A field of the text of a `status` file.
pub(crate) fn field_of(status: &str, field: &str) -> Option<String> {
    let values = status.lines().filter_map(|line| line.split_once(':'));
    values
        .into_iter()
        .find(|(name, _)| *name == field)
        .map(|(_, value)| value.trim().to_owned())
}

/// The id of a process in the innermost namespace that it is in.
pub(crate) fn innermost_pid(pid: u32) -> Option<u64> {
    status_field(pid, "NSpid")?
        .split_whitespace()
        .last()?
        .parse()
        .ok()
}

/// The children of a process, of all its threads.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        if let Ok(list) = fs::read_to_string(thread.path().join("children")) {
            found.extend(
                list.split_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            );
        }
    }
    found
}

/// The children of a process and all of theirs.
pub(crate) fn descendants(pid: u32) -> Vec<u32> {
    let mut found = children(pid);
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children(pid));
        next += 1;
    }
    found
}

/// The ids of a process's threads.
pub(crate) fn threads(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// What each descriptor of a process is.
pub(crate) fn descriptors(pid: u32) -> BTreeMap<u32, String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((
                number,
                fs::read_link(entry.path()).ok()?.display().to_string(),
            ))
        })
        .collect()
}

/// One line of `/proc/PID/maps`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mapping {
    /// Length in bytes.
    pub(crate) len: u64,
    /// As `r-xp`.
    pub(crate) permissions: String,
    /// The file, or `[heap]`; empty for anonymous memory.
    pub(crate) name: String,
}

/// The mappings of a process.
pub(crate) fn mappings(pid: u32) -> Vec<Mapping> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Mapping {
            len: number(end)? - number(start)?,
            permissions: words.next()?.to_owned(),
            name: words.skip(3).collect::<Vec<_>>().join(" "),
        })
    };
    maps.lines().filter_map(parse).collect()
}
