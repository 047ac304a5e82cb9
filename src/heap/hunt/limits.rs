//! By which attributes a cache says how much it takes.

use leakhunt_wire::TypeFlags;

use crate::attributes::field;
use crate::paths::Path;
use crate::snapshot::{LabelName, ObjId, Snapshot};

/// Objects up the path from a container whose attributes are looked at: a cache, and who wraps it.
const MOST_OWNERS: usize = 3;

/// Attributes, without underscores before them, that caches of well-known packages keep their limit in:
/// celery's `LimitedSet`, cachetools, the `LRUCache` of Jinja2 and of SQLAlchemy, werkzeug, `Queue`.
const NAMES: [&str; 13] = [
    "capacity",
    "limit",
    "max_entries",
    "max_items",
    "max_len",
    "max_length",
    "max_size",
    "maxentries",
    "maxlen",
    "maxlength",
    "maxsize",
    "size_limit",
    "sizelimit",
];

/// The `int` objects that attributes with the name of a limit refer to, of a container on a path and of
/// the objects that own it. The heap does not hold their values.
pub(super) fn limit_numbers(snapshot: &Snapshot, path: &Path, container: ObjId) -> Vec<ObjId> {
    let Some(index) = path.steps.iter().rposition(|step| step.object == container) else {
        return Vec::new();
    };
    let owners = path.steps[..=index].iter().rev().map(|step| step.object);
    let mut owners: Vec<ObjId> = owners
        .filter(|&object| snapshot.type_of(object).flags & TypeFlags::PYTHON != 0)
        .take(MOST_OWNERS)
        .collect();
    owners.dedup();
    let mut numbers = Vec::new();
    for owner in owners {
        numbers_of(snapshot, owner, &mut numbers);
        if let Some(dict) = field(snapshot, owner, "__dict__") {
            numbers_of(snapshot, dict, &mut numbers);
        }
    }
    numbers
}

fn numbers_of(snapshot: &Snapshot, owner: ObjId, numbers: &mut Vec<ObjId>) {
    let mut key = None;
    for (label, target) in snapshot.references_of(owner) {
        let name = match label.name() {
            LabelName::Attribute(name) => Some(snapshot.strings.get(name)),
            LabelName::Key(_) => {
                key = snapshot.key_text(target);
                None
            }
            LabelName::Value(_) => key.take(),
            _ => None,
        };
        let of_type = snapshot.type_of(target);
        let is_int = of_type.module.is_empty() && of_type.qualname == "int";
        if is_int && name.is_some_and(is_limit) && !numbers.contains(&target) {
            numbers.push(target);
        }
    }
}

/// `_maxsize`, `_Cache__maxsize`.
fn is_limit(name: &str) -> bool {
    let plain = match name
        .strip_prefix('_')
        .and_then(|name| name.split_once("__"))
    {
        Some((_, private)) => private,
        None => name,
    };
    NAMES.contains(&plain.trim_start_matches('_').to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{SnapshotBuilder, Via};
    use crate::paths::Paths;
    use crate::snapshot::RootKind;

    #[test]
    fn limits_are_known_by_their_names() {
        for name in [
            "maxsize",
            "_maxlen",
            "__capacity",
            "_Cache__maxsize",
            "MAX_SIZE",
        ] {
            assert!(is_limit(name), "{name}");
        }
        for name in ["max_retries", "size", "timeout", "_Cache__size", ""] {
            assert!(!is_limit(name), "{name}");
        }
    }

    #[test]
    fn the_limit_of_a_cache_is_found_on_the_object_that_owns_the_container() {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let cache = heap.tracked("shop.Cache");
        heap.attribute(shop, "CACHE", cache);
        let (most, retries) = (heap.object("int"), heap.object("int"));
        heap.attribute(cache, "_maxsize", most);
        heap.attribute(cache, "retries", retries);
        let entries = heap.object("dict");
        heap.reference(cache, Via::Attribute("entries"), entries);
        let entry = heap.tracked("shop.Entry");
        heap.entry(entries, "one", entry);
        // Of the module, which owns much else.
        let other = heap.object("int");
        heap.attribute(shop, "maxsize", other);
        let heap = heap.finish();
        let path = Paths::find(&heap).to(&heap, entry).unwrap();
        let found = limit_numbers(&heap, &path, entries);
        assert_eq!(found, [most]);
    }
}
