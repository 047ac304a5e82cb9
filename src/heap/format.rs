//! The snapshot file: a folder of Parquet files and a `meta.json`.
//!
//! `docs/snapshot-file.md` documents each column. Here are bytes only; the caller opens the files.
//! What is read is checked before it is believed: length and checksum of each file against
//! `meta.json`, then columns, counts, order and every id. `meta.json` is written last.
//!
//! Memory beside the [`Snapshot`]: one row group when writing, a few pages when reading.

mod error;
mod meta;
mod objects;
mod part;
mod read_table;
mod references;
mod roots;
mod states;
mod strings;
#[cfg(test)]
mod tests;
mod types;
mod write_table;

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::file::reader::ChunkReader;

use crate::snapshot::Snapshot;
pub use error::FormatError;
use meta::{Head, Meta};
pub use part::SnapshotPart;
use read_table::TableReader;

/// The name and version of the schema that is written.
pub const SNAPSHOT_SCHEMA: &str = "leakhunt.snapshot/1";

/// Writes a snapshot. `create` opens each file anew, [`SnapshotPart::Meta`] last.
///
/// # Errors
/// When a file cannot be opened or written; there is no whole snapshot then.
pub fn write_snapshot<W: Write + Send>(
    snapshot: &Snapshot,
    mut create: impl FnMut(SnapshotPart) -> io::Result<W>,
) -> Result<(), FormatError> {
    let mut file = |part: SnapshotPart| {
        create(part).map_err(|source| FormatError::Create {
            file: part.file_name(),
            source,
        })
    };
    let files = meta::Files {
        objects: objects::write(snapshot, file(SnapshotPart::Objects)?)?,
        references: references::write(&snapshot.references, file(SnapshotPart::References)?)?,
        types: types::write(&snapshot.types, file(SnapshotPart::Types)?)?,
        strings: strings::write(&snapshot.strings, file(SnapshotPart::Strings)?)?,
        roots: roots::write(&snapshot.roots, file(SnapshotPart::Roots)?)?,
        states: Some(states::write(
            &snapshot.states,
            file(SnapshotPart::States)?,
        )?),
    };
    let meta = io::BufWriter::new(file(SnapshotPart::Meta)?);
    Meta::new(&snapshot.capture, files)
        .write_to(meta)
        .map_err(|source| FormatError::Write {
            file: SnapshotPart::Meta.file_name(),
            source,
        })
}

/// Reads a snapshot of this version or an earlier one. `open` opens each file; `meta` is what
/// [`SnapshotPart::Meta`] holds.
///
/// The `parquet` crate panics at some forged files; that is caught, but a panic hook sees it.
///
/// # Errors
/// When a file is missing, cut short, damaged, of another snapshot or of a later version; names the
/// file and, within it, the row.
pub fn read_snapshot<R: ChunkReader + 'static>(
    meta: &[u8],
    mut open: impl FnMut(SnapshotPart) -> io::Result<R>,
) -> Result<Snapshot, FormatError> {
    match Head::parse(meta)?.version()? {
        1 => read_v1(&Meta::parse(meta)?, &mut open),
        version => Err(FormatError::Later { version }),
    }
}

fn read_v1<R: ChunkReader + 'static>(
    meta: &Meta,
    open: &mut impl FnMut(SnapshotPart) -> io::Result<R>,
) -> Result<Snapshot, FormatError> {
    let mut table = |part: SnapshotPart| {
        without_panic(part, || {
            let chunks = open(part).map_err(|source| FormatError::Open {
                file: part.file_name(),
                source,
            })?;
            TableReader::open(part, chunks, meta.files.of(part))
        })
    };
    // All files are checked before the first is decoded.
    let strings = table(SnapshotPart::Strings)?;
    let types = table(SnapshotPart::Types)?;
    let objects = table(SnapshotPart::Objects)?;
    let references = table(SnapshotPart::References)?;
    let roots = table(SnapshotPart::Roots)?;
    // The first snapshots have none.
    let states = match meta.files.states {
        Some(_) => Some(table(SnapshotPart::States)?),
        None => None,
    };
    let mut snapshot = Snapshot {
        capture: meta.capture(),
        strings: without_panic(SnapshotPart::Strings, || strings::read(strings))?,
        types: without_panic(SnapshotPart::Types, || types::read(types))?,
        ..Snapshot::default()
    };
    without_panic(SnapshotPart::Objects, || {
        objects::read(objects, &mut snapshot)
    })?;
    without_panic(SnapshotPart::References, || {
        references::read(references, &mut snapshot)
    })?;
    without_panic(SnapshotPart::Roots, || roots::read(roots, &mut snapshot))?;
    if let Some(states) = states {
        without_panic(SnapshotPart::States, || states::read(states, &mut snapshot))?;
    }
    Ok(snapshot)
}

/// The `parquet` crate asserts some of what a file says, as that offsets are not negative. A file that
/// fits its checksum and fails there was forged.
fn without_panic<T>(
    part: SnapshotPart,
    read: impl FnOnce() -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|&text| text.to_owned()));
        Err(FormatError::Impossible {
            file: part.file_name(),
            why: text.unwrap_or_default(),
        })
    })
}
