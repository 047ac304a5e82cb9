//! Why a snapshot cannot be written or read.

use std::io;

use parquet::errors::ParquetError;

use super::SNAPSHOT_SCHEMA;

/// Why a snapshot cannot be written or read. Names the file, and the row where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A file could not be made.
    #[error("cannot create {file}")]
    Create {
        /// Its name.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file could not be written to.
    #[error("cannot write {file}")]
    Write {
        /// Its name.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The snapshot is none that can be written.
    #[error("cannot encode {file}")]
    Encode {
        /// Of the file.
        file: &'static str,
        /// Why.
        source: ParquetError,
    },
    /// A file is missing or cannot be read.
    #[error("cannot open {file}; a snapshot is a whole folder, copy or take it again")]
    Open {
        /// Its name.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
    /// `meta.json` is no JSON, or lacks something.
    #[error("meta.json is damaged; copy or take the snapshot again")]
    Meta(#[source] serde_json::Error),
    /// `meta.json` has a number that cannot be.
    #[error("meta.json is damaged: {what}; copy or take the snapshot again")]
    MetaField {
        /// What is wrong with it.
        what: &'static str,
    },
    /// `meta.json` says that the folder is something else.
    #[error("meta.json is not of a {SNAPSHOT_SCHEMA} folder, but of {found:?}")]
    Foreign {
        /// What it says it is.
        found: String,
    },
    /// The snapshot is of a later version.
    #[error(
        "written by a later leakhunt (leakhunt.snapshot/{version}); update leakhunt to read it"
    )]
    Later {
        /// Version of the schema.
        version: u32,
    },
    /// A file has another length than when it was written.
    #[error(
        "{file} has {found} bytes instead of {expected}: it is cut short or of another snapshot; \
         copy or take the snapshot again"
    )]
    Length {
        /// Its name.
        file: &'static str,
        /// What it has.
        found: u64,
        /// What `meta.json` says.
        expected: u64,
    },
    /// A file has other bytes than when it was written.
    #[error(
        "{file} is damaged or of another snapshot: its checksum is {found:08x}, \
         not {expected:08x}; copy or take the snapshot again"
    )]
    Checksum {
        /// Its name.
        file: &'static str,
        /// Of what it holds.
        found: u32,
        /// What `meta.json` says.
        expected: u32,
    },
    /// A file is no Parquet, though nothing changed it since it was written.
    #[error("{file} cannot be read")]
    Parquet {
        /// Its name.
        file: &'static str,
        /// Why.
        source: ParquetError,
    },
    /// The Parquet reader gave up.
    #[error("{file} is not what leakhunt writes: its Parquet structure cannot be ({why})")]
    Impossible {
        /// Its name.
        file: &'static str,
        /// Where it gave up.
        why: String,
    },
    /// A file has other columns.
    #[error("{file} is not what leakhunt writes: its columns are others")]
    Columns {
        /// Its name.
        file: &'static str,
    },
    /// A file has another number of rows than `meta.json` says.
    #[error("{file} has {found} rows, but meta.json says {expected}")]
    Rows {
        /// Its name.
        file: &'static str,
        /// What it has.
        found: u64,
        /// What `meta.json` says.
        expected: u64,
    },
    /// More rows than a file of its length can hold, or an id can count.
    #[error("{file} claims {rows} rows in {bytes} bytes, which cannot be")]
    TooManyRows {
        /// Its name.
        file: &'static str,
        /// What it claims.
        rows: u64,
        /// Its length.
        bytes: u64,
    },
    /// There is not enough memory for the rows.
    #[error("{file} has {rows} rows, more than there is memory for")]
    OutOfMemory {
        /// Its name.
        file: &'static str,
        /// What it has.
        rows: u64,
    },
    /// A row that cannot be.
    #[error("{file}, row {row}: {what}")]
    Row {
        /// The file's name.
        file: &'static str,
        /// Its number, from 0.
        row: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}
