//! Classes: those that a module holds, and earlier versions of these.

use std::collections::HashMap;

use leakhunt_wire::TypeFlags;

use super::Found;
use super::view::View;
use crate::attributes::{entries, entry, field};
use crate::object_set::ObjectSet;
use crate::snapshot::ObjId;

/// Objects of a class's name and of its module's. A class that is made anew has the same, as Python
/// keeps one object of each name in code.
type Names = (ObjId, ObjId);

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let snapshot = view.snapshot;
    let mut held = ObjectSet::none(snapshot.n_objects());
    let mut waiting: Vec<ObjId> = view.modules();
    let mut of_names: HashMap<Names, ObjId> = HashMap::new();
    // From modules to their classes, from these to the classes within.
    while let Some(owner) = waiting.pop() {
        for value in values(view, owner) {
            if is_class(view, value) && held.add(value) {
                found.not_leaking(value, "class that a module holds");
                waiting.push(value);
                if let Some(names) = names(view, value) {
                    of_names.insert(names, value);
                }
            }
        }
    }
    for class in view.objects_of(|of_type| of_type.flags & TypeFlags::TYPE != 0) {
        if held.contains(class) || view.is_in_hand(class) {
            continue;
        }
        if names(view, class).is_some_and(|names| of_names.contains_key(&names)) {
            waiting.push(class);
        }
    }
    // Those within go with it: their qualified names are of more than one word, which Python makes
    // anew each time.
    while let Some(class) = waiting.pop() {
        if held.add(class) {
            let reason = "class that its module replaced by another of the same name";
            found.leaking(class, reason);
            waiting.extend(values(view, class).filter(|&value| is_class(view, value)));
        }
    }
}

/// What is in the `__dict__` of a module or a class.
fn values(view: &View<'_>, owner: ObjId) -> impl Iterator<Item = ObjId> {
    let snapshot = view.snapshot;
    let dict = field(snapshot, owner, "__dict__");
    let entries = dict.into_iter().flat_map(|dict| entries(snapshot, dict));
    entries.map(|(_, value)| value)
}

fn is_class(view: &View<'_>, object: ObjId) -> bool {
    view.snapshot.type_of(object).flags & TypeFlags::TYPE != 0
}

/// `None` for classes that were not made by Python code.
fn names(view: &View<'_>, class: ObjId) -> Option<Names> {
    let snapshot = view.snapshot;
    let qualname = field(snapshot, class, "__qualname__")?;
    let module = entry(snapshot, field(snapshot, class, "__dict__")?, "__module__")?;
    Some((qualname, module))
}
