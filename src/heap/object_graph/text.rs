//! What stands in the picture: at an object, and at a reference.

use super::EdgeText;
use crate::paths::{Paths, is_identifier};
use crate::python_repr::python_repr;
use crate::snapshot::{LabelName, ObjId, RootKind, Snapshot};

/// The name of a module, a class, a function or a frame; how many items a container has; else the
/// address.
pub(super) fn of_object(
    snapshot: &Snapshot,
    paths: &Paths,
    object: ObjId,
    module: Option<&str>,
) -> String {
    if let Some(module) = module {
        return module.to_owned();
    }
    if let Some(class) = paths.class_name(snapshot, object) {
        return class;
    }
    let of_type = snapshot.type_of(object);
    if of_type.is_frame() {
        let is_it =
            |root: &&crate::snapshot::Root| root.kind == RootKind::Frame && root.object == object;
        let root = snapshot.roots.iter().find(is_it);
        return root.map_or_else(String::new, |root| format!("{}()", root.text));
    }
    let (mut n_items, mut is_container) = (0_usize, is_container(&of_type.name));
    for (label, target) in snapshot.references_of(object) {
        match label.name() {
            LabelName::Item(_) | LabelName::Member(_) | LabelName::Value(_) => {
                is_container = true;
                n_items += 1;
            }
            LabelName::Attribute(name)
                if matches!(snapshot.strings.get(name), "__qualname__" | "__name__") =>
            {
                if let Some(name) = snapshot.key_text(target) {
                    return name.to_owned();
                }
            }
            _ => {}
        }
    }
    match is_container {
        true if n_items == 1 => "1 item".to_owned(),
        true => format!("{n_items} items"),
        false => format!("{:#x}", snapshot.objects.address[object.0 as usize]),
    }
}

fn is_container(name: &str) -> bool {
    matches!(name, "list" | "tuple" | "dict" | "set" | "frozenset")
}

/// What the first reference from one object to another is for, and how many there are.
pub(super) fn of_reference(snapshot: &Snapshot, from: ObjId, to: ObjId) -> (EdgeText, usize) {
    let mut found = None;
    let mut n_references = 0;
    let mut key = None;
    for (label, target) in snapshot.references_of(from) {
        if target == to {
            n_references += 1;
            found.get_or_insert((label.name(), key));
        }
        key = matches!(label.name(), LabelName::Key(_)).then_some(target);
    }
    let text = found.map_or_else(
        || EdgeText::Other(String::new()),
        |(label, key)| text(snapshot, label, key),
    );
    (text, n_references)
}

fn text(snapshot: &Snapshot, label: LabelName, key: Option<ObjId>) -> EdgeText {
    let text_of = |text| snapshot.strings.get(text).to_owned();
    EdgeText::Other(match label {
        LabelName::Attribute(name) => match text_of(name) {
            name if name == "__dict__" => return EdgeText::Attributes,
            name => name,
        },
        LabelName::Local(name) => format!("local {}", text_of(name)),
        LabelName::Internal(name) => text_of(name),
        LabelName::Type => "__class__".to_owned(),
        LabelName::Item(index) => format!("[{index}]"),
        LabelName::Key(_) => "key".to_owned(),
        LabelName::Value(place) => {
            let type_name = key.map_or("key", |key| &snapshot.type_of(key).name);
            match key.and_then(|key| snapshot.key_text(key)) {
                Some(name) if is_identifier(name) => return EdgeText::Key(name.to_owned()),
                Some(name) => format!("{type_name}\n{}", python_repr(name)),
                None => format!("{type_name}\nkey {place}"),
            }
        }
        LabelName::Member(_) | LabelName::None => String::new(),
    })
}
