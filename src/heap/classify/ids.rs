//! Each object by itself, and what modules are called.

use std::collections::HashMap;

use super::Scope;
use super::kinds::{Kinds, OwnDict};
use super::parts::is_module;
use crate::kinds::{KindRow, KindTable, KindTableFormat};
use crate::snapshot::{LabelName, ObjId, RootKind, Snapshot};

/// A row an object. guppy shows the values of numbers and texts; a snapshot has none, so there are
/// addresses instead, with the number of items of lists, tuples and `dict`s.
pub(super) fn table(snapshot: &Snapshot, kinds: &Kinds, scope: Scope<'_>) -> KindTable {
    let mut counted = Vec::new();
    for object in snapshot.ids() {
        if snapshot.type_of(object).is_frame() || !(scope.is_counted)(object) {
            continue;
        }
        let size_bytes = snapshot.objects.size_bytes[object.0 as usize];
        counted.push((kinds.kind_of(object), object, size_bytes, false));
        if let OwnDict::Virtual { size_bytes } = kinds.own_dict(snapshot, object) {
            let kind = kinds.dict_of_kind(snapshot.objects.type_id[object.0 as usize]);
            counted.push((kind, object, size_bytes, true));
        }
    }
    let first = counted.first().map(|&(kind, ..)| kind);
    let only_kind = first.filter(|first| counted.iter().all(|(kind, ..)| kind == first));
    let modules = ModuleNames::of(snapshot);
    let names = kinds.names(snapshot);
    let row = |&(kind, object, size_bytes, is_virtual): &(u32, ObjId, u64, bool)| {
        let address = snapshot.objects.address[object.0 as usize];
        let brief = match n_items(snapshot, object) {
            _ if is_module(snapshot, object) => modules.name(object),
            Some(n_items) if !is_virtual => format!("{address:#x}*{n_items}"),
            _ => format!("{address:#x}"),
        };
        KindRow {
            kind: match only_kind {
                Some(_) => brief,
                None => format!("{}: {brief}", names[kind as usize]),
            },
            n_objects: 1,
            size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
        }
    };
    let mut rows: Vec<KindRow> = counted.iter().map(row).collect();
    rows.sort_by(|one, other| {
        let by_size = other.size_bytes.cmp(&one.size_bytes);
        by_size.then_with(|| one.kind.cmp(&other.kind))
    });
    KindTable {
        kind_name: match only_kind {
            Some(kind) => format!("<{}>", names[kind as usize]),
            None => "<mixed>".to_owned(),
        },
        kind_header: match only_kind {
            Some(_) => "Address".to_owned(),
            None => "Brief".to_owned(),
        },
        format: KindTableFormat::Id,
        rows,
        ..KindTable::default()
    }
}

/// The length of an exact `list`, `tuple` or `dict`.
fn n_items(snapshot: &Snapshot, object: ObjId) -> Option<usize> {
    let of = snapshot.type_of(object);
    if !of.module.is_empty() || !["list", "tuple", "dict"].contains(&of.name.as_str()) {
        return None;
    }
    let is_item = |name| matches!(name, LabelName::Item(_) | LabelName::Key(_));
    let references = snapshot.references_of(object);
    Some(
        references
            .filter(|(label, _)| is_item(label.name()))
            .count(),
    )
}

/// What modules are called.
pub(super) struct ModuleNames<'s> {
    snapshot: &'s Snapshot,
    in_sys_modules: HashMap<ObjId, &'s str>,
}

impl<'s> ModuleNames<'s> {
    pub(super) fn of(snapshot: &'s Snapshot) -> Self {
        let mut in_sys_modules = HashMap::new();
        let roots = snapshot.roots.iter();
        for root in roots.filter(|root| root.kind == RootKind::Modules) {
            for (name, module) in items(snapshot, root.object) {
                in_sys_modules.entry(module).or_insert(name);
            }
        }
        Self {
            snapshot,
            in_sys_modules,
        }
    }

    /// `__name__`, the first name in `sys.modules` or, where both are not known, the address.
    pub(super) fn name(&self, module: ObjId) -> String {
        let own_name = || {
            let snapshot = self.snapshot;
            let (_, dict) = snapshot.references_of(module).find(|(label, _)| {
                matches!(label.name(), LabelName::Attribute(text)
                    if snapshot.strings.get(text) == "__dict__")
            })?;
            let (_, name) = items(snapshot, dict).find(|&(key, _)| key == "__name__")?;
            snapshot.key_text(name)
        };
        match own_name().or_else(|| self.in_sys_modules.get(&module).copied()) {
            Some(name) => name.to_owned(),
            None => format!("{:#x}", self.snapshot.objects.address[module.0 as usize]),
        }
    }
}

/// The keys of a `dict` that are known texts, each with its value.
fn items(snapshot: &Snapshot, dict: ObjId) -> impl Iterator<Item = (&str, ObjId)> {
    let references = snapshot.references_of(dict);
    let values = snapshot.references_of(dict).skip(1);
    references
        .zip(values)
        .filter_map(
            |((key, name), (value, target))| match (key.name(), value.name()) {
                (LabelName::Key(_), LabelName::Value(_)) => {
                    Some((snapshot.key_text(name)?, target))
                }
                _ => None,
            },
        )
}
