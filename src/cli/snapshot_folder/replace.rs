//! A folder under a temporary name that takes the place of another.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use leakhunt_heap::SnapshotPart;
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::leftovers::{beside, folder_of, leftovers, mark_as_alive};

/// How the name of a folder ends that is being written.
const TEMPORARY: &str = "tmp";

/// A folder that is gone when this is dropped, unless it took its place.
pub(super) struct Temporary {
    path: PathBuf,
    /// Locked, which tells others that its writer lives; they may see other process ids.
    _lock: File,
}

impl Temporary {
    /// Makes the folder beside `destination`.
    pub(super) fn create(destination: &Path) -> anyhow::Result<Self> {
        let path = beside(destination, TEMPORARY);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let lock = File::open(&path)?;
        mark_as_alive(&lock);
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the place of `destination`; what was there is removed after that.
    pub(super) fn take_place_of(self, destination: &Path, is_there: bool) -> anyhow::Result<()> {
        let moved = if is_there {
            exchange(&self.path, destination)
        } else {
            fs::rename(&self.path, destination)
        };
        moved.with_context(|| format!("cannot rename {}", self.path.display()))?;
        // It is there, whether or not that outlives a power failure.
        let _ = File::open(folder_of(destination)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Temporary {
    /// After an exchange this is what was replaced.
    fn drop(&mut self) {
        let _ = remove(&self.path);
    }
}

/// Swaps two folders; on file systems that cannot, there is a moment with neither.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    let cwd = rustix::fs::CWD;
    match renameat_with(cwd, new, cwd, old, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => move_aside(new, old),
        result => Ok(result?),
    }
}

/// Leaves `old` where `new` was, as an exchange does.
pub(super) fn move_aside(new: &Path, old: &Path) -> io::Result<()> {
    let aside = beside(old, "old");
    fs::rename(old, &aside)?;
    if let Err(error) = fs::rename(new, old) {
        fs::rename(&aside, old)?;
        return Err(error);
    }
    fs::rename(&aside, new)
}

/// Has the files and the folder on the disk, and answers the bytes of the files.
pub(super) fn sync(folder: &Path) -> anyhow::Result<u64> {
    let mut n_bytes = 0;
    for part in SnapshotPart::ALL {
        let context = || format!("cannot write {}", part.file_name());
        let file = File::open(folder.join(part.file_name())).with_context(context)?;
        file.sync_all().with_context(context)?;
        n_bytes += file.metadata().with_context(context)?.len();
    }
    File::open(folder)?.sync_all()?;
    Ok(n_bytes)
}

/// Removes what killed writers of this snapshot left.
pub(super) fn remove_leftovers(destination: &Path) {
    for folder in leftovers(destination, TEMPORARY) {
        // What cannot be removed is in nobody's way.
        let _ = remove(&folder);
    }
}

/// Removes a snapshot; a folder with anything else in it stays.
fn remove(folder: &Path) -> io::Result<()> {
    for part in SnapshotPart::ALL {
        match fs::remove_file(folder.join(part.file_name())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_dir(folder)
}
