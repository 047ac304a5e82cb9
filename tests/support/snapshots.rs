//! Snapshots of targets, taken by the program and read by the library.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use leakhunt_heap::{LabelName, ObjId, Snapshot, SnapshotPart, read_snapshot};

use super::leakhunt::{Finished, Leakhunt};
use super::lockstep::scratch_file;
use super::target::Target;

/// A snapshot folder. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Takes one of `target`.
    pub(crate) fn of(target: &Target, options: &[&str]) -> Self {
        let folder = Self(scratch_file("heap.leakhunt"));
        folder.take(target, options).expect(0);
        folder
    }

    /// Takes another one of the same name.
    pub(crate) fn take(&self, target: &Target, options: &[&str]) -> Finished {
        Leakhunt::at(target.pid, "snapshot", options)
            .arg("-o")
            .arg(&self.0)
            .run()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// What is in it.
    pub(crate) fn read(&self) -> Snapshot {
        let meta = fs::read(self.0.join(SnapshotPart::Meta.file_name())).unwrap();
        let open = |part: SnapshotPart| File::open(self.0.join(part.file_name()));
        read_snapshot(&meta, open).unwrap_or_else(|error| panic!("{}: {error}", self.0.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The objects of a type.
pub(crate) fn objects_of<'s>(
    snapshot: &'s Snapshot,
    type_key: &'s str,
) -> impl Iterator<Item = ObjId> + 's {
    snapshot
        .ids()
        .filter(move |&object| snapshot.type_of(object).key() == type_key)
}

/// What the references of an object are called: attributes, local variables, and the keys of a `dict`,
/// also of the one that it has its attributes in.
pub(crate) fn names_of(snapshot: &Snapshot, object: ObjId) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (label, target) in snapshot.references_of(object) {
        match label.name() {
            LabelName::Attribute(text) | LabelName::Local(text) => {
                let text = snapshot.strings.get(text);
                names.insert(text.to_owned());
                if text == "__dict__" {
                    names.extend(names_of(snapshot, target));
                }
            }
            LabelName::Key(_) => names.extend(snapshot.key_text(target).map(str::to_owned)),
            _ => {}
        }
    }
    names
}
