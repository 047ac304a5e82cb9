//! What is written is read again, and nothing else is.

mod damage;
mod sample;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::collector::CollectorState;
use crate::snapshot::{
    Capture, Label, LabelName, ObjId, ObjectState, Objects, References, Root, RootKind, StrId,
    Strings, Type, TypeId,
};
use sample::sample;

/// A folder in memory.
type Folder = BTreeMap<&'static str, Bytes>;

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(snapshot: &Snapshot) -> Folder {
    let mut files = BTreeMap::new();
    write_snapshot(snapshot, |part| {
        let file = Shared::default();
        files.insert(part.file_name(), file.clone());
        Ok(file)
    })
    .unwrap();
    files
        .into_iter()
        .map(|(name, file)| (name, file.0.lock().unwrap().clone().into()))
        .collect()
}

fn read(folder: &Folder) -> Result<Snapshot, FormatError> {
    read_snapshot(&folder["meta.json"], |part| {
        let file = folder.get(part.file_name()).cloned();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    })
}

fn error(folder: &Folder) -> String {
    read(folder).unwrap_err().to_string()
}

/// What reading makes of a snapshot that is written as it is.
fn error_of(snapshot: &Snapshot) -> String {
    error(&written(snapshot))
}

#[track_caller]
fn assert_same(left: &Snapshot, right: &Snapshot) {
    assert_eq!(left.capture, right.capture);
    let columns = |s: &Snapshot| {
        let Objects {
            address,
            type_id,
            size_bytes,
            reference_count,
            birth_place,
        } = s.objects.clone();
        (address, type_id, size_bytes, reference_count, birth_place)
    };
    assert!(columns(left) == columns(right), "objects differ");
    let columns = |s: &Snapshot| {
        let References {
            first,
            target,
            label,
        } = s.references.clone();
        (first, target, label)
    };
    assert!(columns(left) == columns(right), "references differ");
    assert_eq!(left.types, right.types);
    assert_eq!(left.roots, right.roots);
    assert_eq!(left.key_texts, right.key_texts);
    assert_eq!(left.states, right.states);
    let texts = |s: &Strings| -> Vec<String> {
        (0..s.len() as u32)
            .map(|id| s.get(StrId(id)).to_owned())
            .collect()
    };
    assert_eq!(texts(&left.strings), texts(&right.strings));
}

#[test]
fn what_is_written_is_read_again() {
    let snapshot = sample();
    assert_same(&read(&written(&snapshot)).unwrap(), &snapshot);
}

#[test]
fn an_empty_heap_is_read_again() {
    let mut snapshot = Snapshot::default();
    snapshot.references.first.push(0);
    assert_same(&read(&written(&snapshot)).unwrap(), &snapshot);
}

/// The limit on rows for each byte must hold for what compresses best, over several row groups.
#[test]
fn a_very_regular_heap_is_read_again() {
    const N: usize = (1 << 20) + 70_000;
    let mut snapshot = sample();
    snapshot.roots.clear();
    snapshot.key_texts = vec![(ObjId(7), StrId(0)), (ObjId(1 << 20), StrId(1))];
    snapshot.states = (0..N as u32)
        .map(|object| (ObjId(object), ObjectState::Finished))
        .collect();
    snapshot.objects = Objects {
        address: (0..N as u64).map(|at| 4096 + 16 * at).collect(),
        type_id: vec![TypeId(0); N],
        size_bytes: vec![16; N],
        reference_count: vec![Objects::NEVER_FREED; N],
        birth_place: vec![Objects::UNTRACKED; N],
    };
    snapshot.references = References {
        first: (0..=N as u64).collect(),
        target: vec![ObjId(0); N],
        label: vec![Label::new(LabelName::Type); N],
    };
    assert_same(&read(&written(&snapshot)).unwrap(), &snapshot);
}

/// Never change the sample: it stands for the files that people have.
#[test]
fn a_folder_of_version_1_is_read() {
    macro_rules! file {
        ($name:literal) => {
            (
                $name,
                Bytes::from_static(include_bytes!(concat!("samples/v1.leakhunt/", $name))),
            )
        };
    }
    let folder = Folder::from([
        file!("meta.json"),
        file!("objects.parquet"),
        file!("references.parquet"),
        file!("types.parquet"),
        file!("strings.parquet"),
        file!("roots.parquet"),
    ]);
    // It was written before states were, and before there was a word of the collector.
    let mut expected = Snapshot {
        states: Vec::new(),
        ..sample()
    };
    expected.capture.collector = CollectorState::default();
    assert_same(&read(&folder).unwrap(), &expected);
}

/// Never change the sample: it is of a version that had no numbers of states.
#[test]
fn states_of_an_earlier_version_are_read() {
    const STATES: &[u8] = include_bytes!("samples/v1-states.parquet");
    let mut folder = written(&sample());
    let facts = serde_json::json!({
        "rows": 4, "bytes": STATES.len(), "crc32": crc32fast::hash(STATES),
    });
    let mut meta: serde_json::Value = serde_json::from_slice(&folder["meta.json"]).unwrap();
    meta["files"]["states.parquet"] = facts;
    folder.insert("meta.json", meta.to_string().into());
    folder.insert("states.parquet", Bytes::from_static(STATES));
    let mut expected = sample();
    expected.states.remove(3);
    expected.states[0].1 = ObjectState::Suspended(0);
    assert_same(&read(&folder).unwrap(), &expected);
}

#[test]
fn meta_tells_what_the_snapshot_is_of() {
    let folder = written(&sample());
    let meta: serde_json::Value = serde_json::from_slice(&folder["meta.json"]).unwrap();
    assert_eq!(meta["schema"], SNAPSHOT_SCHEMA);
    assert_eq!(meta["taken_at"], "2026-02-03T04:05:06.000007Z");
    assert_eq!(meta["target"]["pid"], 4121);
    assert_eq!(meta["coverage"]["dangling_references"], 2);
    assert_eq!(meta["files"]["objects.parquet"]["rows"], 9);
    let n_bytes = folder["objects.parquet"].len();
    assert_eq!(meta["files"]["objects.parquet"]["bytes"], n_bytes);
}

/// Fails after some bytes, as a full disk does.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_with_its_cause() {
    for part in SnapshotPart::ALL {
        for room in [0, 100] {
            let result = write_snapshot(&sample(), |opened| {
                Ok(Full(if opened == part { room } else { 1 << 20 }))
            });
            let Err(FormatError::Write { file, source }) = result else {
                panic!("{result:?}");
            };
            assert_eq!(file, part.file_name());
            assert_eq!(source.kind(), io::ErrorKind::StorageFull);
        }
    }
}
