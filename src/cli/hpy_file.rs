//! Where a `.hpy` is written: a file is replaced as a whole or added to by whole snapshots, or stays
//! as it was.
//!
//! A kill while a file is replaced leaves `.NAME.PID.new`, which the next to replace it removes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::failure::{Exit, Failure, write_remedy};
use crate::leftovers::{beside, leftovers, mark_as_alive};
use crate::output::Output;

/// The first line of each snapshot in a `.hpy`; its last is the same after `.end: `.
const FIRST_LINE: &[u8] = b".loader: _load_stat\n";
const LAST_LINE: &[u8] = b".end: .loader: _load_stat\n";

/// How the name of a file ends that is to be renamed.
const NEW: &str = "new";

/// How long another process may hold a file that is added to.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// What becomes of the file that is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Existing {
    /// The new one takes its place.
    Replaced,
    /// The new snapshot comes after those in it.
    AddedTo,
}

/// A `.hpy` that can be written to; nothing of it has changed yet.
#[derive(Debug)]
pub(crate) struct HpyFile {
    /// As it was typed.
    path: PathBuf,
    file: File,
    way: Way,
}

#[derive(Debug)]
enum Way {
    /// `file` is a new one that is still to be renamed.
    Rename { from: PathBuf, to: PathBuf },
    /// `file` is the old one, or a new one that goes again if nothing can be written.
    Append { is_new: bool },
    /// A pipe or a device.
    Stream,
}

impl HpyFile {
    /// Finds out whether the file can be written, before anything is done to a target for it.
    ///
    /// # Errors
    /// When it cannot be written, or is to be added to and holds something else.
    pub(crate) fn open(path: &Path, existing: Existing) -> anyhow::Result<Self> {
        Self::try_open(path, existing).map_err(|error| failure(&error, path))
    }

    fn try_open(path: &Path, existing: Existing) -> anyhow::Result<Self> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
            bail!("it is a directory");
        }
        let (file, way) = match (metadata, existing) {
            (Some(metadata), _) if !metadata.is_file() => {
                let file = OpenOptions::new().write(true).open(path);
                (file?, Way::Stream)
            }
            (metadata, Existing::Replaced) => {
                // A link stays, and what it points to is replaced.
                let to = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
                let (file, from) = new_beside(&to, metadata.map(|m| m.permissions()))?;
                (file, Way::Rename { from, to })
            }
            (metadata, Existing::AddedTo) => {
                let mut options = OpenOptions::new();
                options.read(true).append(true).create(true);
                let file = options.open(path)?;
                let is_new = metadata.is_none();
                (file, Way::Append { is_new })
            }
        };
        let mut file = Self {
            path: path.to_owned(),
            file,
            way,
        };
        if matches!(file.way, Way::Append { .. }) {
            file.check_first_line()?;
        }
        Ok(file)
    }

    /// Writes a snapshot and answers the size of the file.
    ///
    /// # Errors
    /// When it cannot be written: the file is then as it was before.
    pub(crate) fn write(mut self, text: &str, output: &Output) -> anyhow::Result<u64> {
        let written = match &self.way {
            Way::Rename { .. } => self.replace(text),
            Way::Append { .. } => self.append(text, output),
            Way::Stream => self.stream(text),
        };
        written.map_err(|error| failure(&error, &self.path))
    }

    fn stream(&mut self, text: &str) -> anyhow::Result<u64> {
        self.file.write_all(text.as_bytes())?;
        Ok(text.len() as u64)
    }

    fn replace(&mut self, text: &str) -> anyhow::Result<u64> {
        self.file.write_all(text.as_bytes())?;
        // Where the disk is full, some file systems tell it no earlier.
        self.file.sync_data()?;
        if let Way::Rename { from, to } = &self.way {
            fs::rename(from, to)?;
        }
        self.way = Way::Stream;
        Ok(text.len() as u64)
    }

    fn append(&mut self, text: &str, output: &Output) -> anyhow::Result<u64> {
        lock(&self.file)?;
        self.check_first_line()?;
        let (end, len) = self.end_of_whole_snapshots()?;
        if end < len {
            self.file.set_len(end)?;
            output.warn(format_args!(
                "{}: the last snapshot was torn; cut {} bytes off",
                self.path.display(),
                len - end
            ));
        }
        let written = self.file.write_all(text.as_bytes());
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            self.file.set_len(end).context("nor can it be cut back")?;
            return Err(error.into());
        }
        self.way = Way::Stream;
        Ok(end + text.len() as u64)
    }

    /// A file that starts with something else is not ours to write to.
    fn check_first_line(&mut self) -> anyhow::Result<()> {
        let mut first = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        (&self.file)
            .take(FIRST_LINE.len() as u64)
            .read_to_end(&mut first)?;
        if !FIRST_LINE.starts_with(&first) {
            bail!("it does not begin as a .hpy does, so nothing can be added to it");
        }
        Ok(())
    }

    /// Where the last whole snapshot ends, and the length of the file.
    fn end_of_whole_snapshots(&mut self) -> io::Result<(u64, u64)> {
        const BLOCK: usize = 1 << 16;
        let len = self.file.seek(SeekFrom::End(0))?;
        let mut end = len;
        loop {
            // Blocks overlap, for a last line that lies across their border.
            let start = end.saturating_sub(BLOCK as u64);
            let mut block = vec![0; (end - start) as usize];
            self.file.seek(SeekFrom::Start(start))?;
            self.file.read_exact(&mut block)?;
            let at = block
                .windows(LAST_LINE.len())
                .enumerate()
                .rev()
                .find(|&(at, line)| line == LAST_LINE && at > 0 && block[at - 1] == b'\n');
            if let Some((at, _)) = at {
                return Ok((start + (at + LAST_LINE.len()) as u64, len));
            }
            if start == 0 {
                return Ok((0, len));
            }
            end = start + LAST_LINE.len() as u64;
        }
    }
}

impl Drop for HpyFile {
    fn drop(&mut self) {
        match &self.way {
            Way::Rename { from, .. } => {
                let _ = fs::remove_file(from);
            }
            Way::Append { is_new: true } => {
                if self.file.metadata().is_ok_and(|file| file.len() == 0) {
                    let _ = fs::remove_file(&self.path);
                }
            }
            Way::Append { .. } | Way::Stream => {}
        }
    }
}

/// What is told where a file cannot be written.
fn failure(error: &anyhow::Error, path: &Path) -> anyhow::Error {
    let cause = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    let remedy = cause.and_then(|cause| write_remedy(cause.kind()));
    let message = format!("cannot write {}: {error:#}", path.display());
    Failure::new(Exit::Usage, message)
        .with_help(remedy.unwrap_or("name another file with -o"))
        .into()
}

/// A new file in the directory of `path`, with the rights of the one that it is to replace. What killed
/// writers left of theirs is removed.
fn new_beside(path: &Path, rights: Option<Permissions>) -> io::Result<(File, PathBuf)> {
    for file in leftovers(path, NEW) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_file(file);
    }
    let new = beside(path, NEW);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&new)?;
    mark_as_alive(&file);
    if let Some(rights) = rights {
        // Where that is refused, those of a new file are as good.
        let _ = file.set_permissions(rights);
    }
    Ok((file, new))
}

/// Waits for other writers to have written whole snapshots.
fn lock(file: &File) -> anyhow::Result<()> {
    let until = Instant::now() + LOCK_WAIT;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < until => {
                thread::sleep(LOCK_RETRY);
            }
            Err(Errno::WOULDBLOCK) => bail!("another process has it locked"),
            // A file system without locks has writers without locks.
            Err(Errno::OPNOTSUPP | Errno::NOLCK | Errno::NOSYS | Errno::INVAL) => return Ok(()),
            locked => return Ok(locked?),
        }
    }
}

#[cfg(test)]
mod tests;
