//! Which module classes, functions and modules are of: their types are all builtin.

use std::collections::HashMap;

use leakhunt_wire::TypeFlags;

use crate::attributes::{entry, field};
use crate::snapshot::{LabelName, ObjId, RootKind, Snapshot, StrId};

/// What belongs to a module by more than its type.
pub(super) struct Modules {
    /// Classes, modules, and the dicts that are the globals of modules, each with its kind.
    kinds: HashMap<ObjId, usize>,
    /// The `str` objects that are `__name__` in the globals of modules, each with the module's kind:
    /// what a class statement takes for `__module__`.
    names: HashMap<ObjId, usize>,
    /// How the globals of a function are called.
    globals: Option<StrId>,
}

impl Modules {
    /// `kind` answers the kind of a module's name.
    pub(super) fn of(snapshot: &Snapshot, mut kind: impl FnMut(&str) -> usize) -> Self {
        let (mut kinds, mut names) = (HashMap::new(), HashMap::new());
        for of_type in &snapshot.types {
            if let Some(class) = snapshot.objects.at(of_type.address)
                && !of_type.module.is_empty()
            {
                kinds.insert(class, kind(&of_type.module));
            }
        }
        for (name, module) in modules(snapshot) {
            let kind = kind(name);
            kinds.entry(module).or_insert(kind);
            if let Some(globals) = field(snapshot, module, "__dict__") {
                kinds.entry(globals).or_insert(kind);
                if let Some(name) = entry(snapshot, globals, "__name__") {
                    names.entry(name).or_insert(kind);
                }
            }
        }
        Self {
            kinds,
            names,
            globals: snapshot.strings.find("__globals__"),
        }
    }

    /// `None` where the type of the object tells.
    pub(super) fn kind(&self, snapshot: &Snapshot, object: ObjId) -> Option<usize> {
        let of_type = snapshot.type_of(object);
        if of_type.module.is_empty() && of_type.name == "function" {
            let globals = LabelName::Attribute(self.globals?);
            let mut references = snapshot.references_of(object);
            let (_, globals) = references.find(|(label, _)| label.name() == globals)?;
            return self.kinds.get(&globals).copied();
        }
        let known = self.kinds.get(&object).copied();
        if known.is_some() || of_type.flags & TypeFlags::TYPE == 0 {
            return known;
        }
        // A class without instances: only its dict tells.
        let name = entry(snapshot, field(snapshot, object, "__dict__")?, "__module__")?;
        self.names.get(&name).copied()
    }
}

/// What `sys.modules` has, with the names.
fn modules(snapshot: &Snapshot) -> impl Iterator<Item = (&str, ObjId)> {
    let roots = snapshot.roots.iter();
    let all = roots.filter(|root| root.kind == RootKind::Modules);
    all.flat_map(move |root| {
        let mut key = None;
        snapshot
            .references_of(root.object)
            .filter_map(move |(label, target)| match label.name() {
                LabelName::Key(_) => {
                    key = snapshot.key_text(target);
                    None
                }
                LabelName::Value(_) => Some((key.take()?, target)),
                _ => None,
            })
    })
}
