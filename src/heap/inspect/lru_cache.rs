//! Methods under `functools.lru_cache`, which keeps each instance that they were called on.

use leakhunt_wire::TypeFlags;

use super::Found;
use super::view::{View, is_builtin};
use crate::attributes::{entries, field};
use crate::object_set::ObjectSet;
use crate::snapshot::{LabelName, ObjId};

pub(super) fn inspect(view: &View<'_>, found: &mut Found) {
    let snapshot = view.snapshot;
    let caches = view.types_deriving_from(&[("functools", "_lru_cache_wrapper")]);
    if !caches.contains(&true) {
        return;
    }
    let globals = globals(view);
    for class in view.objects_of(|of_type| of_type.flags & TypeFlags::TYPE != 0) {
        let dict = field(snapshot, class, "__dict__");
        for (name, value) in dict.into_iter().flat_map(|dict| entries(snapshot, dict)) {
            // A property is called on an instance, too.
            let method = match is_builtin(snapshot.type_of(value), "property") {
                true => field(snapshot, value, "fget").unwrap_or(value),
                false => value,
            };
            if !view.is_of(method, &caches) {
                continue;
            }
            let name = snapshot.key_text(name).unwrap_or("without a known name");
            for (arguments, entry) in cached(view, method) {
                let is_its_own = first_item(view, arguments).is_some_and(|instance| {
                    is_instance(view, instance, class)
                        && !globals.contains(instance)
                        && !view.is_in_hand(instance)
                });
                if !is_its_own {
                    continue;
                }
                let reason = format!("entry of the lru_cache of the method {name}: it keeps self");
                if is_list_element(view, entry) {
                    found.leaking(entry, reason.clone());
                }
                found.leaking(arguments, reason);
            }
        }
    }
}

/// Arguments and results of a cache. Of one with a bound the results are in elements of a list.
fn cached(view: &View<'_>, cache: ObjId) -> Vec<(ObjId, ObjId)> {
    let snapshot = view.snapshot;
    let dicts: Vec<ObjId> = snapshot
        .references_of(cache)
        .filter(|(label, _)| matches!(label.name(), LabelName::None | LabelName::Internal(_)))
        .map(|(_, target)| target)
        .filter(|&target| is_builtin(snapshot.type_of(target), "dict"))
        .collect();
    let has_list = |dict: &ObjId| {
        let first = entries(snapshot, *dict).next();
        first.is_some_and(|(_, value)| is_list_element(view, value))
    };
    // A result may be a dict as well, where there are elements.
    let with_list = dicts.iter().copied().find(has_list);
    let dict = with_list.or(match dicts[..] {
        [only] => Some(only),
        _ => None,
    });
    dict.into_iter()
        .flat_map(|dict| entries(snapshot, dict))
        .collect()
}

fn is_list_element(view: &View<'_>, object: ObjId) -> bool {
    view.snapshot.type_of(object).qualname == "_lru_list_elem"
}

/// The first of the arguments that an entry is of.
fn first_item(view: &View<'_>, arguments: ObjId) -> Option<ObjId> {
    let snapshot = view.snapshot;
    if !is_builtin(snapshot.type_of(arguments), "tuple") {
        return None;
    }
    let mut items = snapshot.references_of(arguments);
    let first = items.find(|(label, _)| label.name() == LabelName::Item(0))?;
    Some(first.1)
}

fn is_instance(view: &View<'_>, object: ObjId, class: ObjId) -> bool {
    view.class_of(object)
        .is_some_and(|own| own == class || view.bases(own).any(|base| base == class))
}

/// What is a global of a module: it is kept for good, cache or not.
fn globals(view: &View<'_>) -> ObjectSet {
    let snapshot = view.snapshot;
    let mut globals = ObjectSet::none(snapshot.n_objects());
    for module in view.modules() {
        let dict = field(snapshot, module, "__dict__");
        for (_, value) in dict.into_iter().flat_map(|dict| entries(snapshot, dict)) {
            globals.add(value);
        }
    }
    globals
}
