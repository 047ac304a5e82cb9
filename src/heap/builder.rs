//! Small snapshots by hand, for tests of what works on them.

use std::collections::{BTreeMap, HashMap};

use leakhunt_wire::TypeFlags;

use crate::fnv::fnv1a;
use crate::snapshot::{
    Capture, Label, LabelName, ObjId, ObjectState, Objects, References, Root, RootKind, Snapshot,
    StrId, Strings, Type, TypeId,
};

/// What a reference is for: [`LabelName`] with its text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Via<'a> {
    /// See [`LabelName::None`].
    Unnamed,
    /// See [`LabelName::Type`].
    Type,
    /// See [`LabelName::Attribute`].
    Attribute(&'a str),
    /// See [`LabelName::Local`].
    Local(&'a str),
    /// See [`LabelName::Internal`].
    Internal(&'a str),
    /// See [`LabelName::Item`].
    Item(u32),
    /// See [`LabelName::Member`].
    Member(u32),
    /// See [`LabelName::Key`].
    Key(u32),
    /// See [`LabelName::Value`].
    Value(u32),
}

/// Builds a snapshot object by object. Addresses ascend in the order of the calls.
///
/// Unless told otherwise an object is 64 bytes, is not tracked, and is referred to by the snapshot's
/// objects and roots alone, which is what its reference count says.
///
/// ```
/// use leakhunt_heap::{Paths, RootKind, SnapshotBuilder, Via};
///
/// let mut heap = SnapshotBuilder::new();
/// let modules = heap.object("dict");
/// heap.root(RootKind::Modules, modules);
/// let shop = heap.module(modules, "shop");
/// let cache = heap.object("dict");
/// heap.attribute(shop, "CACHE", cache);
/// let template = heap.object("shop.Template");
/// heap.entry(cache, "/checkout", template);
/// let heap = heap.finish();
/// let path = Paths::find(&heap).to(&heap, template).unwrap();
/// assert_eq!(path.expression, "sys.modules['shop'].CACHE['/checkout']");
/// ```
#[derive(Clone, Debug, Default)]
pub struct SnapshotBuilder {
    capture: Capture,
    objects: Objects,
    references: Vec<Vec<(Label, ObjId)>>,
    counts: HashMap<ObjId, u32>,
    types: Vec<Type>,
    type_ids: HashMap<String, TypeId>,
    strings: Strings,
    roots: Vec<Root>,
    key_texts: HashMap<ObjId, StrId>,
    states: BTreeMap<ObjId, ObjectState>,
    dicts: HashMap<ObjId, ObjId>,
    next_address: u64,
    next_place: u32,
}

const FIRST_ADDRESS: u64 = 0x7f00_0000_0000;
/// Of types that are no objects of the snapshot.
const TYPE_ADDRESS: u64 = 0x5500_0000_0000;
const OBJECT_BYTES: u64 = 64;

impl SnapshotBuilder {
    /// A snapshot without objects.
    pub fn new() -> Self {
        Self {
            next_address: FIRST_ADDRESS,
            ..Self::default()
        }
    }

    /// Adds an object of the type `module.name`, or `name` for a builtin.
    pub fn object(&mut self, type_name: &str) -> ObjId {
        let type_id = self.type_id(type_name);
        let object = ObjId(self.objects.len() as u32);
        self.objects.address.push(self.next_address);
        self.objects.type_id.push(type_id);
        self.objects.size_bytes.push(OBJECT_BYTES);
        self.objects.birth_place.push(Objects::UNTRACKED);
        self.references.push(Vec::new());
        self.next_address += OBJECT_BYTES;
        object
    }

    /// Adds an object that the collector tracks, the youngest of all.
    pub fn tracked(&mut self, type_name: &str) -> ObjId {
        let object = self.object(type_name);
        self.place(object, self.next_place);
        object
    }

    /// The next object is put so many bytes further.
    pub fn skip(&mut self, n_bytes: u64) {
        self.next_address += n_bytes;
    }

    /// Puts a tracked object at a place in the order of birth.
    pub fn place(&mut self, object: ObjId, place: u32) {
        self.objects.birth_place[object.0 as usize] = place;
        self.next_place = self.next_place.max(place + 1);
    }

    /// Adds the object that is a type, of type `type`, with its dict.
    pub fn class(&mut self, type_name: &str) -> ObjId {
        let class = self.object("type");
        let type_id = self.type_id(type_name);
        self.types[type_id.0 as usize].address = self.objects.address[class.0 as usize];
        class
    }

    /// Sets the `TypeFlags` of a type.
    pub fn flags(&mut self, type_name: &str, flags: u32) {
        let type_id = self.type_id(type_name);
        self.types[type_id.0 as usize].flags = flags;
    }

    /// Sets the size of an object.
    pub fn size(&mut self, object: ObjId, size_bytes: u64) {
        self.objects.size_bytes[object.0 as usize] = size_bytes;
    }

    /// Sets the reference count of an object.
    pub fn count(&mut self, object: ObjId, reference_count: u32) {
        self.counts.insert(object, reference_count);
    }

    /// Adds a reference.
    pub fn reference(&mut self, from: ObjId, via: Via<'_>, to: ObjId) {
        let name = match via {
            Via::Unnamed => LabelName::None,
            Via::Type => LabelName::Type,
            Via::Attribute(text) => LabelName::Attribute(self.strings.add(text)),
            Via::Local(text) => LabelName::Local(self.strings.add(text)),
            Via::Internal(text) => LabelName::Internal(self.strings.add(text)),
            Via::Item(place) => LabelName::Item(place),
            Via::Member(place) => LabelName::Member(place),
            Via::Key(place) => LabelName::Key(place),
            Via::Value(place) => LabelName::Value(place),
        };
        self.references[from.0 as usize].push((Label::new(name), to));
    }

    /// Adds an entry to the end of a `dict`; answers the key, a new `str` whose characters are known.
    pub fn entry(&mut self, dict: ObjId, key: &str, value: ObjId) -> ObjId {
        let key_object = self.object("str");
        self.key_text(key_object, key);
        let place = self.references[dict.0 as usize].len() as u32 / 2;
        self.reference(dict, Via::Key(place), key_object);
        self.reference(dict, Via::Value(place), value);
        key_object
    }

    /// Adds an attribute to the `__dict__` of an object, which is made when there is none.
    pub fn attribute(&mut self, owner: ObjId, name: &str, value: ObjId) {
        let dict = match self.dicts.get(&owner) {
            Some(&dict) => dict,
            None => {
                let dict = self.tracked("dict");
                self.reference(owner, Via::Attribute("__dict__"), dict);
                self.dicts.insert(owner, dict);
                dict
            }
        };
        self.entry(dict, name, value);
    }

    /// Adds a module to the `dict` that is `sys.modules`.
    pub fn module(&mut self, modules: ObjId, name: &str) -> ObjId {
        let module = self.tracked("module");
        self.entry(modules, name, module);
        module
    }

    /// Says what the characters of a `str` are.
    pub fn key_text(&mut self, object: ObjId, text: &str) {
        let text = self.strings.add(text);
        self.key_texts.insert(object, text);
    }

    /// Says what an object is in the midst of.
    pub fn state(&mut self, object: ObjId, state: ObjectState) {
        self.states.insert(object, state);
    }

    /// Says that an object is a root.
    pub fn root(&mut self, kind: RootKind, object: ObjId) {
        self.named_root(kind, object, 0, "");
    }

    /// A running frame of a function: an "object" that is a root.
    pub fn frame(&mut self, function: &str) -> ObjId {
        let frame = self.object("frame of a thread");
        self.flags("frame of a thread", TypeFlags::FRAME);
        self.named_root(RootKind::Frame, frame, 1, function);
        frame
    }

    /// Says that an object is a root, of which thread, and by which name.
    pub fn named_root(&mut self, kind: RootKind, object: ObjId, thread: u64, text: &str) {
        self.roots.push(Root {
            kind,
            object,
            thread,
            text: text.to_owned(),
        });
    }

    /// What is known of the capture.
    pub fn capture(&mut self) -> &mut Capture {
        &mut self.capture
    }

    /// The snapshot.
    pub fn finish(self) -> Snapshot {
        let mut counts = vec![0_u32; self.objects.len()];
        let mut references = References {
            first: vec![0],
            ..References::default()
        };
        for of_object in &self.references {
            for &(label, target) in of_object {
                counts[target.0 as usize] += 1;
                references.label.push(label);
                references.target.push(target);
            }
            references.first.push(references.target.len() as u64);
        }
        for root in &self.roots {
            counts[root.object.0 as usize] += 1;
        }
        let told = (0..).map(ObjId).zip(&mut counts);
        for (object, count) in told {
            *count = self.counts.get(&object).copied().unwrap_or(*count);
        }
        let sorted = self.objects.address.is_sorted();
        debug_assert!(sorted, "addresses are given in ascending order");
        let mut key_texts: Vec<_> = (0..self.objects.len() as u32)
            .filter_map(|index| Some((ObjId(index), *self.key_texts.get(&ObjId(index))?)))
            .collect();
        key_texts.sort_unstable();
        Snapshot {
            capture: self.capture,
            objects: Objects {
                reference_count: counts,
                ..self.objects
            },
            references,
            types: self.types,
            strings: self.strings,
            roots: self.roots,
            key_texts,
            states: self.states.into_iter().collect(),
        }
    }

    fn type_id(&mut self, key: &str) -> TypeId {
        if let Some(&type_id) = self.type_ids.get(key) {
            return type_id;
        }
        let (module, name) = key.rsplit_once('.').unwrap_or(("", key));
        let type_id = TypeId(self.types.len() as u32);
        self.types.push(Type {
            address: type_address(key),
            module: module.to_owned(),
            qualname: name.to_owned(),
            name: name.to_owned(),
            flags: flags_of(module, name),
            basic_size: OBJECT_BYTES,
            base: 0,
        });
        self.type_ids.insert(key.to_owned(), type_id);
        type_id
    }
}

/// The same in each snapshot.
fn type_address(key: &str) -> u64 {
    let hash = fnv1a(key.as_bytes());
    TYPE_ADDRESS + (hash >> 32) * OBJECT_BYTES
}

fn flags_of(module: &str, name: &str) -> u32 {
    let kind = match (module, name) {
        ("", "list") => TypeFlags::LIST,
        ("", "tuple") => TypeFlags::TUPLE,
        ("", "dict") => TypeFlags::DICT,
        ("", "str") => return TypeFlags::STR,
        ("", "type") => TypeFlags::TYPE,
        ("", _) => 0,
        _ => TypeFlags::HEAP_TYPE | TypeFlags::PYTHON,
    };
    kind | TypeFlags::COLLECTED
}
