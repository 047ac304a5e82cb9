//! What each kind of objects would free, all its objects together.

mod modules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::dominators::Dominators;
use crate::snapshot::{ObjId, Snapshot};
use modules::Modules;

/// What a kind is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RetainedBy {
    /// The type.
    Type,
    /// The module that made the type; of classes, functions and modules themselves the module that
    /// they are in.
    Module,
    /// The top-level package of that module.
    Package,
}

/// The kinds of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Retained {
    /// Objects that something alive refers to.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Objects that nothing alive refers to: garbage that was not collected yet.
    pub n_garbage: u64,
    /// Its bytes.
    pub garbage_bytes: u64,
    /// The one that retains most first.
    pub rows: Vec<RetainedKind>,
}

/// A kind of objects.
#[derive(Clone, Debug, PartialEq)]
pub struct RetainedKind {
    /// `module.qualname` of the type, the module, or the package.
    pub name: String,
    /// Objects that something alive refers to.
    pub n_objects: u64,
    /// The bytes of these alone.
    pub size_bytes: u64,
    /// The bytes that would be freed if all of them were gone, their own included. What two of the
    /// kind hold together does not count, unless one that dominates both is of the kind.
    pub retained_bytes: u64,
    /// Whether some of the bytes of the objects alone are an estimate.
    pub is_estimate: bool,
    /// The one that retains most.
    pub largest: ObjId,
    /// What it retains.
    pub largest_retained_bytes: u64,
}

/// What the kinds of a snapshot retain. `O(V)`, by module `O(V + E)` at most.
pub fn retained(snapshot: &Snapshot, tree: &Dominators, by: RetainedBy) -> Retained {
    let kinds = Kinds::of(snapshot, by);
    let mut rows: Vec<Option<RetainedKind>> = vec![None; kinds.names.len()];
    // Of each kind, up to where the subtrees that count reach.
    let mut covered = vec![0_u64; kinds.names.len()];
    let mut result = Retained::default();
    for (place, (object, n_retained)) in (0_u64..).zip(tree.in_order()) {
        if snapshot.type_of(object).is_frame() {
            continue;
        }
        let size_bytes = snapshot.objects.size_bytes[object.0 as usize];
        let retained_bytes = tree.retained_bytes(object);
        let kind = kinds.of_object(snapshot, object);
        let row = rows[kind].get_or_insert_with(|| RetainedKind {
            name: kinds.names[kind].clone(),
            n_objects: 0,
            size_bytes: 0,
            retained_bytes: 0,
            is_estimate: false,
            largest: object,
            largest_retained_bytes: 0,
        });
        row.n_objects += 1;
        row.size_bytes = row.size_bytes.saturating_add(size_bytes);
        row.is_estimate |= snapshot.type_of(object).is_estimate();
        if retained_bytes > row.largest_retained_bytes {
            (row.largest, row.largest_retained_bytes) = (object, retained_bytes);
        }
        if place >= covered[kind] {
            covered[kind] = place + u64::from(n_retained);
            row.retained_bytes += retained_bytes;
        }
        result.n_objects += 1;
        result.size_bytes = result.size_bytes.saturating_add(size_bytes);
    }
    let garbage = snapshot.ids().filter(|&object| !tree.is_reached(object));
    for object in garbage {
        let size_bytes = snapshot.objects.size_bytes[object.0 as usize];
        result.n_garbage += 1;
        result.garbage_bytes = result.garbage_bytes.saturating_add(size_bytes);
    }
    result.rows = rows.into_iter().flatten().collect();
    result.rows.sort_by(|one, other| {
        let rank = |row: &RetainedKind| (row.retained_bytes, row.size_bytes, row.n_objects);
        rank(other)
            .cmp(&rank(one))
            .then_with(|| one.name.cmp(&other.name))
    });
    result
}

/// Which kind each object is of.
struct Kinds {
    names: Vec<String>,
    /// Of each type.
    of_type: Vec<usize>,
    /// Where the type is not what tells.
    modules: Option<Modules>,
}

impl Kinds {
    fn of(snapshot: &Snapshot, by: RetainedBy) -> Self {
        let mut names = Names::default();
        let name_of = |module: &str| match by {
            RetainedBy::Package => package(module).to_owned(),
            _ => module.to_owned(),
        };
        let of_type = snapshot.types.iter().map(|of_type| match by {
            RetainedBy::Type => names.add(of_type.key()),
            _ if of_type.module.is_empty() => names.add("builtins".to_owned()),
            _ => names.add(name_of(&of_type.module)),
        });
        let of_type = of_type.collect();
        let modules = match by {
            RetainedBy::Type => None,
            _ => Some(Modules::of(snapshot, |module| names.add(name_of(module)))),
        };
        Self {
            names: names.names,
            of_type,
            modules,
        }
    }

    fn of_object(&self, snapshot: &Snapshot, object: ObjId) -> usize {
        let type_id = snapshot.objects.type_id[object.0 as usize];
        self.modules
            .as_ref()
            .and_then(|modules| modules.kind(snapshot, object))
            .unwrap_or(self.of_type[type_id.0 as usize])
    }
}

/// Names, each once.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    fn add(&mut self, name: String) -> usize {
        let next = self.names.len();
        *self.index.entry(name).or_insert_with_key(|name| {
            self.names.push(name.clone());
            next
        })
    }
}

fn package(module: &str) -> &str {
    module
        .split_once('.')
        .map_or(module, |(package, _)| package)
}
