//! Closed files, and the buffers and texts around them.

use super::Found;
use super::view::View;
use crate::object_set::ObjectSet;
use crate::snapshot::{ObjId, ObjectState};

/// What a file is wrapped in.
const WRAPPERS: [(&str, &str); 5] = [
    ("_io", "BufferedReader"),
    ("_io", "BufferedWriter"),
    ("_io", "BufferedRandom"),
    ("_io", "BufferedRWPair"),
    ("_io", "TextIOWrapper"),
];
/// A text is around a buffer that is around a file.
const LAYERS: usize = 2;

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let snapshot = view.snapshot;
    let is_closed = |file: &ObjId| snapshot.state_of(*file) == Some(ObjectState::Closed);
    let files: Vec<ObjId> = view
        .instances_of(&[("_io", "FileIO")])
        .filter(is_closed)
        .collect();
    if files.is_empty() {
        return;
    }
    let wrappers: Vec<ObjId> = view.instances_of(&WRAPPERS).collect();
    let inner = |wrapper: ObjId| snapshot.references_of(wrapper).map(|(_, inner)| inner);
    // Outside in: whoever has the outermost in hand has all of it.
    let mut in_hand = ObjectSet::none(snapshot.n_objects());
    for &object in wrappers.iter().chain(&files) {
        if view.is_in_hand(object) {
            in_hand.add(object);
        }
    }
    for _ in 0..LAYERS {
        for &wrapper in &wrappers {
            if in_hand.contains(wrapper) {
                inner(wrapper).for_each(|inner| {
                    in_hand.add(inner);
                });
            }
        }
    }
    // Inside out: what is around a closed file is closed.
    let mut closed = ObjectSet::none(snapshot.n_objects());
    for &file in &files {
        closed.add(file);
    }
    for _ in 0..LAYERS {
        for &wrapper in &wrappers {
            if inner(wrapper).any(|inner| closed.contains(inner)) {
                closed.add(wrapper);
            }
        }
    }
    for object in wrappers.into_iter().chain(files) {
        if closed.contains(object) && !in_hand.contains(object) {
            found.leaking(object, "closed file");
        }
    }
}
