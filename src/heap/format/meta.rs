//! `meta.json`: what a snapshot is of, and what each of its files has to be.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{FormatError, SNAPSHOT_SCHEMA, SnapshotPart};
use crate::collector::CollectorState;
use crate::record::rfc3339;
use crate::snapshot::Capture;

/// What every version of `meta.json` has.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    schema: String,
}

impl Head {
    pub(super) fn parse(json: &[u8]) -> Result<Self, FormatError> {
        serde_json::from_slice(json).map_err(FormatError::Meta)
    }

    /// The version of the schema, from 1.
    pub(super) fn version(&self) -> Result<u32, FormatError> {
        self.schema
            .strip_prefix("leakhunt.snapshot/")
            .and_then(|version| version.parse().ok())
            .filter(|&version| version > 0)
            .ok_or_else(|| FormatError::Foreign {
                found: self.schema.chars().take(64).collect(),
            })
    }
}

/// `meta.json`. Fields that this version does not know are passed over.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Meta {
    schema: String,
    leakhunt: String,
    target: Target,
    python: String,
    free_threaded: bool,
    #[serde(with = "rfc3339")]
    taken_at: OffsetDateTime,
    pause_us: u64,
    walk_us: u64,
    coverage: Coverage,
    #[serde(default)]
    collector: CollectorState,
    pub(super) files: Files,
}

#[derive(Debug, Deserialize, Serialize)]
struct Target {
    pid: u32,
    command: String,
    /// `null` where it is not known.
    rss_bytes: Option<u64>,
}

/// What may be missing.
#[derive(Debug, Deserialize, Serialize)]
struct Coverage {
    names: String,
    during_collection: bool,
    /// `null` where no type was skipped.
    skipped_type: Option<String>,
    full_collections: u64,
    /// The place of birth at which each generation starts, the old one first.
    #[serde(default)]
    generation_starts: [u32; 3],
    dangling_references: u64,
    violations: u64,
}

/// What each file has to be.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Files {
    #[serde(rename = "objects.parquet")]
    pub(super) objects: FileFacts,
    #[serde(rename = "references.parquet")]
    pub(super) references: FileFacts,
    #[serde(rename = "types.parquet")]
    pub(super) types: FileFacts,
    #[serde(rename = "strings.parquet")]
    pub(super) strings: FileFacts,
    #[serde(rename = "roots.parquet")]
    pub(super) roots: FileFacts,
    /// Absent in the first snapshots of this version.
    #[serde(
        rename = "states.parquet",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) states: Option<FileFacts>,
}

/// What a file has to be.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct FileFacts {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Of all bytes of the file.
    pub(super) crc32: u32,
}

impl Files {
    pub(super) fn of(&self, part: SnapshotPart) -> FileFacts {
        match part {
            SnapshotPart::Objects => self.objects,
            SnapshotPart::References => self.references,
            SnapshotPart::Types => self.types,
            SnapshotPart::Strings => self.strings,
            SnapshotPart::Roots => self.roots,
            SnapshotPart::States => self.states.unwrap_or_default(),
            SnapshotPart::Meta => FileFacts::default(),
        }
    }
}

impl Meta {
    pub(super) fn new(capture: &Capture, files: Files) -> Self {
        let nanos = i128::from(capture.taken_at_us) * 1000;
        Self {
            schema: SNAPSHOT_SCHEMA.to_owned(),
            leakhunt: capture.leakhunt.clone(),
            target: Target {
                pid: capture.pid,
                command: capture.command.clone(),
                rss_bytes: Some(capture.rss_bytes).filter(|&bytes| bytes > 0),
            },
            python: capture.python.clone(),
            free_threaded: capture.free_threaded,
            // A clock beyond the year 9999 is none.
            taken_at: OffsetDateTime::from_unix_timestamp_nanos(nanos)
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
            pause_us: capture.pause_us,
            walk_us: capture.walk_us,
            coverage: Coverage {
                names: capture.names.clone(),
                during_collection: capture.is_during_collection,
                skipped_type: Some(capture.skipped_type.clone()).filter(|name| !name.is_empty()),
                full_collections: capture.n_full_collections,
                generation_starts: capture.generation_starts,
                dangling_references: capture.n_dangling,
                violations: capture.n_violations,
            },
            collector: capture.collector.clone(),
            files,
        }
    }

    pub(super) fn parse(json: &[u8]) -> Result<Self, FormatError> {
        let meta: Self = serde_json::from_slice(json).map_err(FormatError::Meta)?;
        if meta.taken_at < OffsetDateTime::UNIX_EPOCH {
            return Err(FormatError::MetaField {
                what: "taken_at is before 1970",
            });
        }
        Ok(meta)
    }

    pub(super) fn write_to(&self, mut writer: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut writer, self)?;
        writer.write_all(b"\n")?;
        writer.flush()
    }

    pub(super) fn capture(&self) -> Capture {
        let micros = self.taken_at.unix_timestamp_nanos() / 1000;
        Capture {
            leakhunt: self.leakhunt.clone(),
            python: self.python.clone(),
            free_threaded: self.free_threaded,
            pid: self.target.pid,
            command: self.target.command.clone(),
            taken_at_us: u64::try_from(micros).unwrap_or(0),
            pause_us: self.pause_us,
            walk_us: self.walk_us,
            rss_bytes: self.target.rss_bytes.unwrap_or(0),
            names: self.coverage.names.clone(),
            is_during_collection: self.coverage.during_collection,
            skipped_type: self.coverage.skipped_type.clone().unwrap_or_default(),
            n_full_collections: self.coverage.full_collections,
            collector: self.collector.clone(),
            generation_starts: self.coverage.generation_starts,
            n_dangling: self.coverage.dangling_references,
            n_violations: self.coverage.violations,
        }
    }
}
