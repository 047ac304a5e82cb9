//! The heaps that `--save` keeps.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use leakhunt_heap::Snapshot;

use crate::rounds::LookEnd;
use crate::snapshot_folder::{check_destination, write_snapshot};

/// Which of the looks it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Saved {
    First,
    Last,
    /// One that is not kept.
    Not,
}

impl Saved {
    pub(super) fn of(is_first: bool, is_last: bool) -> Self {
        match (is_first, is_last) {
            (true, _) => Self::First,
            (_, true) => Self::Last,
            _ => Self::Not,
        }
    }

    /// Writes the heap to its place in the folder; one that is there is replaced.
    ///
    /// # Errors
    /// When it cannot be written, which another look does not change.
    pub(super) fn write(self, folder: &Path, snapshot: &Snapshot) -> Result<(), LookEnd> {
        let Some(name) = self.name() else {
            return Ok(());
        };
        write_snapshot(&folder.join(name), snapshot, true)
            .map(drop)
            .map_err(|error| LookEnd::ForGood(error.context("--save")))
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::First => Some("first.leakhunt"),
            Self::Last => Some("last.leakhunt"),
            Self::Not => None,
        }
    }
}

/// Makes the folder, and finds out whether it can be written to before the program is started.
///
/// # Errors
/// When it cannot.
pub(super) fn prepare(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("--save {}", folder.display()))?;
    for name in [Saved::First, Saved::Last]
        .into_iter()
        .filter_map(Saved::name)
    {
        check_destination(&folder.join(name), true).context("--save")?;
    }
    Ok(())
}
