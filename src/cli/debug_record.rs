//! What `asyncio-debug on` found before it changed it: a file for `off`, in the user's own folder.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::debug_mode::{Before, DebugMode, INFO, LoopMode};

/// A record is small; what is larger is none of ours.
const MOST_BYTES: u64 = 1 << 20;

/// How event loops and the root logger were set before the first `on`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Record {
    loops: Vec<LoopRecord>,
    /// Of the root logger; `None` where `on` leaves it.
    pub(crate) root_level: Option<i64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct LoopRecord {
    address: u64,
    /// Of the loop: another may be at its address one day.
    type_name: String,
    debug: bool,
    slow_callback_seconds: Option<f64>,
}

impl Record {
    /// With what is found now, beside what is known from an earlier `on`.
    pub(crate) fn with(mut self, mode: &DebugMode) -> Self {
        let is_first = self.loops.is_empty();
        for one in mode.open_loops() {
            if let (Some(debug), None) = (one.debug, self.of(one)) {
                self.loops.push(LoopRecord {
                    address: one.address,
                    type_name: one.type_name.clone(),
                    debug,
                    slow_callback_seconds: one.slow_callback_seconds,
                });
            }
        }
        let level = mode.process.root_level.filter(|&level| level > INFO);
        if is_first || self.root_level.is_none() {
            self.root_level = level;
        }
        self
    }

    /// How a loop was.
    pub(crate) fn of(&self, one: &LoopMode) -> Option<Before> {
        let mut loops = self.loops.iter();
        let found = loops
            .find(|record| record.address == one.address && record.type_name == one.type_name)?;
        Some(Before {
            debug: found.debug,
            slow_callback_seconds: found.slow_callback_seconds,
        })
    }
}

/// Where the record of a process is.
#[derive(Clone, Debug)]
pub(crate) struct RecordFile {
    folder: PathBuf,
    name: String,
}

impl RecordFile {
    /// For a process, which its start tells from others of the same number.
    pub(crate) fn of(pid: u32, start_ticks: u64) -> Self {
        Self::within(runtime_folder(), pid, start_ticks)
    }

    fn within(folder: PathBuf, pid: u32, start_ticks: u64) -> Self {
        Self {
            folder,
            name: format!("asyncio-debug-{pid}-{start_ticks}.json"),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The record, if there is one.
    ///
    /// # Errors
    /// When the folder is not this user's alone, or the file cannot be read.
    pub(crate) fn read(&self) -> anyhow::Result<Option<Record>> {
        if !self.folder.exists() {
            return Ok(None);
        }
        check_is_own(&self.folder)?;
        let path = self.path();
        let name = || format!("cannot read {}", path.display());
        let file = match OpenOptions::new().read(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(name),
        };
        let mut text = String::new();
        file.take(MOST_BYTES)
            .read_to_string(&mut text)
            .with_context(name)?;
        serde_json::from_str(&text).map(Some).with_context(name)
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// When the folder is not this user's alone, or nothing can be written there.
    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        let path = self.path();
        let name = || format!("cannot write {}", path.display());
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).with_context(name);
            }
            _ => check_is_own(&self.folder)?,
        }
        let unfinished = path.with_extension("new");
        let text = serde_json::to_string(record).with_context(name)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&unfinished).with_context(name)?;
        file.write_all(text.as_bytes()).with_context(name)?;
        fs::rename(&unfinished, &path).with_context(name)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// When it is there and stays.
    pub(crate) fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path().display()))
            }
            _ => Ok(()),
        }
    }
}

fn runtime_folder() -> PathBuf {
    let given = std::env::var_os("XDG_RUNTIME_DIR").filter(|given: &OsString| {
        let path = Path::new(given);
        path.is_absolute() && path.is_dir()
    });
    match given {
        Some(given) => PathBuf::from(given).join("leakhunt"),
        None => {
            let uid = rustix::process::geteuid().as_raw();
            PathBuf::from(format!("/tmp/leakhunt-{uid}"))
        }
    }
}

/// Others can make folders in `/tmp`, and what `off` does to a process is not to be theirs to say.
fn check_is_own(folder: &Path) -> anyhow::Result<()> {
    let name = || format!("cannot use {}", folder.display());
    let is = fs::symlink_metadata(folder).with_context(name)?;
    let uid = rustix::process::geteuid().as_raw();
    if !is.is_dir() || is.uid() != uid || is.mode() & 0o077 != 0 {
        bail!(
            "{} is not a folder that is yours alone; remove it, or set XDG_RUNTIME_DIR to one that is",
            folder.display()
        );
    }
    Ok(())
}
