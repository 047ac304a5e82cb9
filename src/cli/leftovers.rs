//! Hidden names beside a file that is being written, `.NAME.PID.ENDING`, and what killed writers left
//! of them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The hidden name of this process beside `destination`.
pub(crate) fn beside(destination: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(destination.file_name().unwrap_or_default());
    name.push(format!(".{}.{ending}", std::process::id()));
    destination.with_file_name(name)
}

/// Tells others that the writer of what is open here lives; they may see other process ids.
pub(crate) fn mark_as_alive(open: &File) {
    // Where there are no locks, the process id has to do.
    let _ = flock(open, FlockOperation::NonBlockingLockExclusive);
}

/// What dead writers of `destination` left under such names.
pub(crate) fn leftovers(destination: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder_of(destination)) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| {
            pid_of(&entry.file_name(), destination, ending).is_some_and(|pid| {
                pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists()
            })
        })
        .map(|entry| entry.path())
        .filter(|path| {
            // What is no file or folder, as a pipe, would be waited for.
            fs::symlink_metadata(path).is_ok_and(|one| one.is_file() || one.is_dir())
                && File::open(path).is_ok_and(|open| {
                    flock(&open, FlockOperation::NonBlockingLockExclusive).is_ok()
                })
        })
        .collect()
}

/// The process that a hidden name is of.
fn pid_of(name: &OsStr, destination: &Path, ending: &str) -> Option<u32> {
    let stem = destination.file_name()?.as_bytes();
    let pid = name
        .as_bytes()
        .strip_prefix(b".")?
        .strip_prefix(stem)?
        .strip_prefix(b".")?
        .strip_suffix(ending.as_bytes())?
        .strip_suffix(b".")?;
    std::str::from_utf8(pid).ok()?.parse().ok()
}

/// The folder that a path is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}
