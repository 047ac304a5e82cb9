//! The folder `NAME.leakhunt`: there as a whole, or not at all.
//!
//! The files are written into `.NAME.leakhunt.PID.tmp` beside it, which then takes its name. A kill in
//! between leaves that folder; the next who writes a snapshot of the name removes it.

mod replace;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context as _, bail};
use leakhunt_heap::{Snapshot, SnapshotPart};

use crate::failure::{Exit, Failure, write_remedy};

/// The longest `meta.json` that is taken.
const MAX_META_BYTES: u64 = 16 << 20;

/// Writes a snapshot and answers the bytes of its files. One that is there already is replaced if
/// `force`, else it is an error; anything else that is there stays.
///
/// # Errors
/// When it cannot be written; what was there is there still, and nothing else.
pub(crate) fn write_snapshot(path: &Path, snapshot: &Snapshot, force: bool) -> anyhow::Result<u64> {
    write_folder(path, force, |folder| {
        leakhunt_heap::write_snapshot(snapshot, |part| {
            File::create_new(folder.join(part.file_name()))
        })?;
        Ok(())
    })
}

/// Whether a snapshot could be written there, as far as can be told before there is one.
///
/// # Errors
/// When something else is there; or a snapshot, unless `force`; or no folder to hold it.
pub(crate) fn check_destination(path: &Path, force: bool) -> anyhow::Result<()> {
    destination(path, force).map(|_| ())
}

/// Reads a snapshot.
///
/// # Errors
/// When it is none, or not whole.
pub(crate) fn read_snapshot(path: &Path) -> anyhow::Result<Snapshot> {
    let context = || format!("snapshot {}", path.display());
    if !fs::metadata(path).with_context(context)?.is_dir() {
        bail!(
            "snapshot {}: is a file; a snapshot is a folder with {} and others",
            path.display(),
            SnapshotPart::Meta.file_name()
        );
    }
    let meta = read_meta(path).with_context(context)?;
    let open = |part: SnapshotPart| open_file(&path.join(part.file_name()));
    without_panic_messages(|| leakhunt_heap::read_snapshot(&meta, open)).with_context(context)
}

fn read_meta(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let name = SnapshotPart::Meta.file_name();
    let mut meta = Vec::new();
    open_file(&folder.join(name))
        .and_then(|file| file.take(MAX_META_BYTES).read_to_end(&mut meta))
        .map_err(|error| {
            let what = match error.kind() {
                io::ErrorKind::PermissionDenied => "",
                _ => "not a snapshot's folder: ",
            };
            anyhow::Error::new(error).context(format!("{what}cannot read {name}"))
        })?;
    Ok(meta)
}

/// Opens what is a file: a pipe would be waited for.
fn open_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    File::open(path)
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Calls `read` with panics of this thread unprinted: those that a forged file causes become errors.
fn without_panic_messages<T>(read: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                print(info);
            }
        }));
    });
    IS_QUIET.set(true);
    let result = read();
    IS_QUIET.set(false);
    result
}

/// Has `fill` write the files of a folder, then puts it in its place.
fn write_folder(
    path: &Path,
    force: bool,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let destination = destination(path, force)?;
    replace::remove_leftovers(&destination.path);
    let write = || {
        let temporary = replace::Temporary::create(&destination.path)?;
        fill(temporary.path())?;
        let n_bytes = replace::sync(temporary.path())?;
        temporary.take_place_of(&destination.path, destination.is_there)?;
        Ok(n_bytes)
    };
    write().map_err(|error: anyhow::Error| {
        let remedy = error
            .chain()
            .find_map(|cause| write_remedy(cause.downcast_ref::<io::Error>()?.kind()));
        let message = format!("cannot write snapshot {}: {error:#}", path.display());
        Failure::new(Exit::Usage, message)
            .with_help(remedy.unwrap_or("name another place with -o"))
            .into()
    })
}

/// Where a snapshot is to be written.
struct Destination {
    /// Without symbolic links at its end, which would be replaced themselves.
    path: PathBuf,
    /// Whether there is a snapshot, or an empty folder.
    is_there: bool,
}

fn destination(path: &Path, force: bool) -> anyhow::Result<Destination> {
    let shown = path.display();
    let refuse = |what: &str| -> anyhow::Result<Destination> {
        Err(
            Failure::new(Exit::Usage, format!("snapshot {shown}: {what}"))
                .with_help("name another with -o, or move what is there away")
                .into(),
        )
    };
    if path.file_name().is_none() {
        return refuse("is no name for a folder");
    }
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Destination {
                path: path.to_owned(),
                is_there: false,
            });
        }
        found => found.with_context(|| format!("snapshot {shown}"))?,
    };
    let path = if metadata.is_symlink() {
        fs::canonicalize(path).with_context(|| format!("snapshot {shown}"))?
    } else {
        path.to_owned()
    };
    if !fs::metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
        return refuse("there is a file of that name");
    }
    let is_empty = match foreign_entry(&path).with_context(|| format!("snapshot {shown}"))? {
        Entries::None => true,
        Entries::OfSnapshot => false,
        Entries::Foreign(name) => {
            return refuse(&format!(
                "there is a folder of that name, with {name:?} in it"
            ));
        }
    };
    if !is_empty && !is_meta_of_snapshot(&path) {
        return refuse("there is a folder of that name that is no snapshot");
    }
    if !is_empty && !force {
        return refuse("there is one already");
    }
    Ok(Destination {
        path,
        is_there: true,
    })
}

/// What is in a folder.
enum Entries {
    None,
    OfSnapshot,
    Foreign(std::ffi::OsString),
}

fn foreign_entry(folder: &Path) -> io::Result<Entries> {
    let mut entries = Entries::None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !SnapshotPart::ALL
            .iter()
            .any(|part| name == part.file_name())
        {
            return Ok(Entries::Foreign(name));
        }
        entries = Entries::OfSnapshot;
    }
    Ok(entries)
}

fn is_meta_of_snapshot(folder: &Path) -> bool {
    let meta = read_meta(folder).ok();
    let meta = meta.and_then(|meta| serde_json::from_slice::<serde_json::Value>(&meta).ok());
    meta.as_ref()
        .and_then(|meta| meta["schema"].as_str())
        .is_some_and(|schema| schema.starts_with("leakhunt.snapshot/"))
}
