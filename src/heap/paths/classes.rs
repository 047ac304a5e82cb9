//! What a class has under a name: for attributes that something else stands before.

use std::collections::HashMap;

use leakhunt_wire::TypeFlags;

use crate::attributes::{entry, field, items};
use crate::snapshot::{ObjId, Snapshot, TypeId};

use super::is_class;

/// The type objects of a snapshot.
#[derive(Debug)]
pub(super) struct Classes {
    /// Of each type, where its object is in the snapshot.
    objects: Vec<Option<ObjId>>,
    type_ids: HashMap<ObjId, TypeId>,
}

/// Types whose objects are no descriptors, and descriptors that answer themselves where a class is
/// asked for them.
const PLAIN_ON_A_CLASS: [&str; 24] = [
    "function",
    "property",
    "member_descriptor",
    "getset_descriptor",
    "wrapper_descriptor",
    "method_descriptor",
    "functools._lru_cache_wrapper",
    "functools.cached_property",
    "builtin_function_or_method",
    "module",
    "type",
    "list",
    "dict",
    "set",
    "frozenset",
    "tuple",
    "str",
    "bytes",
    "bytearray",
    "int",
    "float",
    "collections.deque",
    "collections.OrderedDict",
    "collections.defaultdict",
];

impl Classes {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let objects: Vec<_> = snapshot
            .types
            .iter()
            .map(|of_type| snapshot.objects.at(of_type.address))
            .collect();
        let type_ids = (0..)
            .map(TypeId)
            .zip(&objects)
            .filter_map(|(type_id, object)| Some(((*object)?, type_id)))
            .collect();
        Self { objects, type_ids }
    }

    /// The type that an object is.
    pub(super) fn type_id(&self, class: ObjId) -> Option<TypeId> {
        self.type_ids.get(&class).copied()
    }

    /// What `type(object)` is.
    fn class_of(&self, snapshot: &Snapshot, object: ObjId) -> Option<ObjId> {
        self.objects[snapshot.objects.type_id[object.0 as usize].0 as usize]
    }

    /// What a name stands for in a class or its bases, as `type.__getattribute__` finds it.
    fn find(&self, snapshot: &Snapshot, class: ObjId, name: &str) -> Option<ObjId> {
        let mro = field(snapshot, class, "__mro__");
        let bases = mro.into_iter().flat_map(|mro| items(snapshot, mro));
        std::iter::once(class)
            .chain(bases)
            .find_map(|class| entry(snapshot, field(snapshot, class, "__dict__")?, name))
    }

    /// What a class has under the name of an attribute of its instances.
    pub(super) fn shadow(&self, snapshot: &Snapshot, object: ObjId, name: &str) -> Shadow {
        let found = self
            .class_of(snapshot, object)
            .and_then(|class| self.find(snapshot, class, name));
        let Some(found) = found else {
            return Shadow::None;
        };
        let of_type = snapshot.type_of(found);
        match &*of_type.name {
            "member_descriptor" | "getset_descriptor" => Shadow::Field,
            "property" => Shadow::Property,
            _ if of_type.flags & TypeFlags::PYTHON == 0 => Shadow::None,
            _ => {
                let has = |name| self.shadow_class(snapshot, found, name).is_some();
                match has("__set__") || has("__delete__") {
                    true => Shadow::Property,
                    false => Shadow::None,
                }
            }
        }
    }

    /// Whether Python code of a class or its bases has a method instead of the builtin one.
    pub(super) fn overrides(&self, snapshot: &Snapshot, object: ObjId, method: &str) -> bool {
        snapshot.type_of(object).flags & TypeFlags::PYTHON != 0
            && self
                .shadow_class(snapshot, object, method)
                .is_some_and(|found| snapshot.type_of(found).name == "function")
    }

    /// What the class of an object has under a name.
    fn shadow_class(&self, snapshot: &Snapshot, object: ObjId, name: &str) -> Option<ObjId> {
        self.find(snapshot, self.class_of(snapshot, object)?, name)
    }

    /// Whether `class.name` is what the `dict` of the class has under the name.
    pub(super) fn answers_itself(
        &self,
        snapshot: &Snapshot,
        class: ObjId,
        name: &str,
        value: ObjId,
    ) -> bool {
        if name.starts_with("__") && name.ends_with("__")
            || self.shadow(snapshot, class, name) != Shadow::None
            || self.overrides(snapshot, class, "__getattribute__")
        {
            return false;
        }
        let of_type = snapshot.type_of(value);
        if of_type.flags & TypeFlags::PYTHON == 0 {
            let key = of_type.key();
            return PLAIN_ON_A_CLASS.contains(&&*key) || is_class(snapshot, value);
        }
        self.class_of(snapshot, value).is_some()
            && self.shadow_class(snapshot, value, "__get__").is_none()
    }
}

/// What stands before an attribute of an instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shadow {
    /// Nothing, or something that gives way.
    None,
    /// What shows a slot or a field of a C type, which the attribute may be.
    Field,
    /// A property or another descriptor that decides by itself.
    Property,
}
