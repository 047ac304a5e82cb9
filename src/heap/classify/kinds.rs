//! The `clodo` kind of each object: its type, or of which type's objects it is the `__dict__`.

use std::collections::HashSet;

use leakhunt_wire::TypeFlags;

use super::names::type_name;
use crate::snapshot::{Label, LabelName, ObjId, Objects, Snapshot, StrId, Type, TypeId};

/// A `clodo` kind, as a number.
pub(super) type Kind = u32;

/// The kinds of all objects. 4 bytes an object.
pub(super) struct Kinds {
    of_object: Vec<Kind>,
    /// Whether the objects of a type are exact `dict`s.
    dict_type: Option<TypeId>,
    str_type: Option<TypeId>,
    n_types: u32,
    python_minor: u32,
    dict_label: Option<Label>,
    /// What a `dict` takes beside its values; that of one whose keys belong to a class.
    empty_dict_bytes: u64,
    has_virtual_dicts: bool,
    /// Addresses of types made in C but `object`. Up to 3.12 the instances of their subclasses do not
    /// keep attributes in themselves.
    eager_bases: HashSet<u64>,
}

/// What an instance that shares the keys of its attributes has done about its `__dict__`.
pub(super) enum OwnDict {
    /// It has none yet: its attributes are in itself.
    Virtual {
        /// What it would take.
        size_bytes: u64,
    },
    /// It has one, and both hold the attributes (Python 3.13 on).
    Shared(ObjId),
    /// All else.
    Other,
}

impl Kinds {
    pub(super) fn of(snapshot: &Snapshot, has_virtual_dicts: bool) -> Self {
        let n_types = u32::try_from(snapshot.types.len()).unwrap_or(u32::MAX / 4);
        let python_minor = python_minor(&snapshot.capture.python);
        let builtin = |name: &str, flag: u32| {
            let is_it = |of: &Type| {
                of.module.is_empty()
                    && of.name == name
                    && of.flags & flag == flag
                    && of.flags & (TypeFlags::PYTHON | TypeFlags::FRAME) == 0
            };
            let index = snapshot.types.iter().position(is_it)?;
            Some(TypeId(u32::try_from(index).ok()?))
        };
        let dict_type = builtin("dict", TypeFlags::DICT);
        let frame_type = builtin("frame", 0);
        let dict_label = snapshot.strings.find("__dict__");
        let header_bytes = if snapshot.capture.free_threaded {
            0
        } else {
            16
        };
        let mut kinds = Self {
            of_object: Vec::new(),
            dict_type,
            str_type: builtin("str", TypeFlags::STR),
            n_types,
            python_minor,
            dict_label: dict_label.map(|text: StrId| Label::new(LabelName::Attribute(text))),
            empty_dict_bytes: header_bytes
                + dict_type.map_or(48, |id| snapshot.types[id.0 as usize].basic_size),
            has_virtual_dicts,
            eager_bases: eager_bases(snapshot),
        };
        // What running frames hold is held by frames.
        let kind_of_type: Vec<Kind> = (0..n_types)
            .map(|index| match snapshot.types[index as usize].is_frame() {
                true => frame_type.map_or(index, |id| id.0),
                false => index,
            })
            .collect();
        let kind_of = |id: &TypeId| match Some(*id) == dict_type {
            true => kinds.no_owner(),
            false => kind_of_type[id.0 as usize],
        };
        kinds.of_object = snapshot.objects.type_id.iter().map(kind_of).collect();
        kinds.find_owners(snapshot);
        kinds
    }

    /// Of several owners that at the lowest address counts.
    fn find_owners(&mut self, snapshot: &Snapshot) {
        let static_types = static_types(snapshot);
        for owner in snapshot.ids() {
            let Some(dict) = self.dict_of(snapshot, owner) else {
                continue;
            };
            // From 3.12 on the interpreter keeps the `dict`s of static types, and guppy does not look
            // for them there.
            let is_static =
                self.python_minor >= 12 && is_static_type(snapshot, owner, &static_types);
            if self.kind_of(dict) == self.no_owner() && !is_static {
                let of_type = snapshot.objects.type_id[owner.0 as usize];
                self.of_object[dict.0 as usize] = self.dict_of_kind(of_type);
            }
        }
    }

    /// The exact `dict` that is the `__dict__` of an object.
    fn dict_of(&self, snapshot: &Snapshot, owner: ObjId) -> Option<ObjId> {
        let label = self.dict_label?;
        let (_, dict) = snapshot
            .references_of(owner)
            .find(|&(of, target)| of == label && self.is_dict(snapshot, target))?;
        Some(dict)
    }

    pub(super) fn is_dict(&self, snapshot: &Snapshot, object: ObjId) -> bool {
        Some(snapshot.objects.type_id[object.0 as usize]) == self.dict_type
    }

    pub(super) fn is_str(&self, snapshot: &Snapshot, object: ObjId) -> bool {
        Some(snapshot.objects.type_id[object.0 as usize]) == self.str_type
    }

    /// What an instance has done about its `__dict__`.
    pub(super) fn own_dict(&self, snapshot: &Snapshot, object: ObjId) -> OwnDict {
        let of = snapshot.type_of(object);
        let n_keys = of.n_shared_keys();
        if n_keys == 0 || self.python_minor <= 12 && self.eager_bases.contains(&of.base) {
            return OwnDict::Other;
        }
        let size_bytes = self.empty_dict_bytes + 8 * u64::from(n_keys);
        match self.dict_of(snapshot, object) {
            None if self.has_virtual_dicts => OwnDict::Virtual { size_bytes },
            // A `dict` of its own keys is of another size.
            Some(dict)
                if self.python_minor >= 13
                    && snapshot.objects.size_bytes[dict.0 as usize] == size_bytes =>
            {
                OwnDict::Shared(dict)
            }
            _ => OwnDict::Other,
        }
    }

    /// Whether attributes in an instance without a `__dict__` count as held by the instance as well as
    /// by the `__dict__` that it would make.
    pub(super) fn instances_hold_values(&self) -> bool {
        self.python_minor >= 13
    }

    pub(super) fn kind_of(&self, object: ObjId) -> Kind {
        self.of_object[object.0 as usize]
    }

    /// One more than the highest.
    pub(super) fn len(&self) -> u32 {
        2 * self.n_types + 2
    }

    /// `dict of` a type's objects.
    pub(super) fn dict_of_kind(&self, of_type: TypeId) -> Kind {
        self.n_types + of_type.0
    }

    fn no_owner(&self) -> Kind {
        2 * self.n_types
    }

    /// What refers to objects from outside of the heap.
    pub(super) fn root(&self) -> Kind {
        2 * self.n_types + 1
    }

    /// The name of each kind. The first are those of the types.
    pub(super) fn names(&self, snapshot: &Snapshot) -> Vec<String> {
        let of_types = snapshot.types.iter().map(|of| match of.is_frame() {
            true => "types.FrameType".to_owned(),
            false => type_name(of, self.python_minor),
        });
        let mut names: Vec<String> = of_types.collect();
        let of_dicts: Vec<_> = names.iter().map(|name| format!("dict of {name}")).collect();
        names.extend(of_dicts);
        names.push("dict (no owner)".to_owned());
        names.push("guppy.heapy.heapyc.RootStateType".to_owned());
        names
    }

    /// The type of virtual dicts, where it is known.
    pub(super) fn dict_type(&self) -> Option<TypeId> {
        self.dict_type
    }

    /// What an object refers to, as guppy sees it: as the collector does, without the keys of a `dict`
    /// all of which are `str`, and without the metaclass of a class.
    pub(super) fn references_seen<'s>(
        &self,
        snapshot: &'s Snapshot,
        object: ObjId,
    ) -> impl Iterator<Item = (Label, ObjId)> + use<'s> {
        let is_key = |label: Label| matches!(label.name(), LabelName::Key(_));
        let flags = snapshot.type_of(object).flags;
        let (is_dict, is_class) = (flags & TypeFlags::DICT != 0, flags & TypeFlags::TYPE != 0);
        let leaves_keys_out = is_dict
            && snapshot
                .references_of(object)
                .filter(|&(label, _)| is_key(label))
                .all(|(_, key)| self.is_str(snapshot, key));
        snapshot.references_of(object).filter(move |&(label, _)| {
            !(leaves_keys_out && is_key(label) || is_class && label.name() == LabelName::Type)
        })
    }
}

fn python_minor(python: &str) -> u32 {
    let minor = python.split('.').nth(1).unwrap_or_default();
    let digits = minor.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn eager_bases(snapshot: &Snapshot) -> HashSet<u64> {
    let is_object = |of: &Type| of.module.is_empty() && of.name == "object";
    let types = snapshot.types.iter();
    types
        .filter(|of| of.flags & (TypeFlags::PYTHON | TypeFlags::FRAME) == 0 && !is_object(of))
        .map(|of| of.address)
        .collect()
}

fn static_types(snapshot: &Snapshot) -> HashSet<u64> {
    let types = snapshot.types.iter();
    types
        .filter(|of| of.flags & (TypeFlags::HEAP_TYPE | TypeFlags::FRAME) == 0)
        .map(|of| of.address)
        .collect()
}

/// Whether an object is a type that was not made in dynamic memory: the collector does not track it.
fn is_static_type(snapshot: &Snapshot, object: ObjId, static_types: &HashSet<u64>) -> bool {
    let index = object.0 as usize;
    snapshot.type_of(object).flags & TypeFlags::TYPE != 0
        && (static_types.contains(&snapshot.objects.address[index])
            || !snapshot.capture.free_threaded
                && snapshot.objects.birth_place[index] == Objects::UNTRACKED)
}
