//! The top of the dominator tree, without what holds everything in each program.

use crate::attributes::field;
use crate::dominators::Dominators;
use crate::snapshot::{LabelName, ObjId, Snapshot};

/// Objects that are no place: the roots with a name, modules, and the dicts of modules.
pub(super) struct TopLevel {
    /// A bit for each object.
    bits: Vec<u64>,
}

impl TopLevel {
    pub(super) fn of(snapshot: &Snapshot, tree: &Dominators) -> Self {
        let mut found = Self {
            bits: vec![0; snapshot.n_objects().div_ceil(64)],
        };
        let is_module: Vec<bool> = snapshot
            .types
            .iter()
            .map(|of_type| of_type.module.is_empty() && of_type.name == "module")
            .collect();
        for root in &snapshot.roots {
            found.add(root.object);
            // Whatever a program puts into `sys.modules` is a module.
            if root.kind == crate::RootKind::Modules {
                let entries = snapshot.references_of(root.object);
                let entries =
                    entries.filter(|(label, _)| matches!(label.name(), LabelName::Value(_)));
                for (_, module) in entries {
                    found.add_module(snapshot, module);
                }
            }
        }
        for (object, _) in tree.in_order() {
            if is_module[snapshot.objects.type_id[object.0 as usize].0 as usize] {
                found.add_module(snapshot, object);
            }
        }
        found
    }

    /// Whether an object is no place.
    pub(super) fn is_above(&self, object: ObjId) -> bool {
        self.bits[object.0 as usize / 64] & (1 << (object.0 % 64)) != 0
    }

    /// What is on top, and below what is no place.
    pub(super) fn objects<'a>(&'a self, tree: &'a Dominators) -> impl Iterator<Item = ObjId> + 'a {
        let mut above = Vec::new();
        let mut next: Box<dyn Iterator<Item = ObjId> + 'a> = Box::new(tree.top_level());
        std::iter::from_fn(move || {
            loop {
                match next.next() {
                    Some(object) if self.is_above(object) => above.push(object),
                    Some(object) => return Some(object),
                    None => next = Box::new(tree.children(above.pop()?)),
                }
            }
        })
    }

    fn add_module(&mut self, snapshot: &Snapshot, module: ObjId) {
        self.add(module);
        if let Some(globals) = field(snapshot, module, "__dict__") {
            self.add(globals);
        }
    }

    fn add(&mut self, object: ObjId) {
        self.bits[object.0 as usize / 64] |= 1 << (object.0 % 64);
    }
}
