//! What an object has under a name.

use crate::snapshot::{Label, LabelName, ObjId, Snapshot};

/// What an object refers to as an attribute by itself: a field or a slot.
pub(crate) fn field(snapshot: &Snapshot, object: ObjId, name: &str) -> Option<ObjId> {
    let name = snapshot.strings.find(name)?;
    snapshot
        .references_of(object)
        .find(|(label, _)| label.name() == LabelName::Attribute(name))
        .map(|(_, value)| value)
}

/// What a `dict` has under a key whose characters are known.
pub(crate) fn entry(snapshot: &Snapshot, dict: ObjId, key: &str) -> Option<ObjId> {
    entries(snapshot, dict)
        .find(|&(name, _)| snapshot.key_text(name) == Some(key))
        .map(|(_, value)| value)
}

/// The keys and values of a `dict`, in order.
pub(crate) fn entries(
    snapshot: &Snapshot,
    dict: ObjId,
) -> impl Iterator<Item = (ObjId, ObjId)> + '_ {
    let mut key = None;
    snapshot
        .references_of(dict)
        .filter_map(move |(label, target)| match label.name() {
            LabelName::Key(_) => {
                key = Some(target);
                None
            }
            LabelName::Value(_) => Some((key.take()?, target)),
            _ => {
                key = None;
                None
            }
        })
}

/// An attribute of an object: a field of its own, or an entry of its `__dict__`.
pub(crate) fn attribute(snapshot: &Snapshot, object: ObjId, name: &str) -> Option<ObjId> {
    field(snapshot, object, name)
        .or_else(|| entry(snapshot, field(snapshot, object, "__dict__")?, name))
}

/// The items of a sequence, in order.
pub(crate) fn items(snapshot: &Snapshot, sequence: ObjId) -> impl Iterator<Item = ObjId> + '_ {
    snapshot
        .references_of(sequence)
        .filter(|(label, _)| matches!(label.name(), LabelName::Item(_)))
        .map(|(_, item)| item)
}

/// The key of a `dict`'s entry at a place in the order of iteration.
pub(crate) fn key_at(snapshot: &Snapshot, dict: ObjId, place: u32) -> Option<ObjId> {
    let wanted = Label::new(LabelName::Key(place));
    snapshot
        .references_of(dict)
        .find(|&(label, _)| label == wanted)
        .map(|(_, key)| key)
}
