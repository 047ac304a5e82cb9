//! The heap as a tree of places: all objects that are reached by one way are one.

use std::collections::VecDeque;

use leakhunt_wire::TypeFlags;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::paths::{Paths, Search, Stage, reference};
use crate::reach::{held_from_outside, static_types};
use crate::snapshot::{Label, LabelName, ObjId, RootKind, Snapshot, TypeId};

/// A step from one place to the objects of one type that it refers to by one label.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WayId(pub u32);

/// See [`WayId`].
#[derive(Clone, Debug)]
pub struct Way {
    /// The place that it starts at; `None` for what a root is, and for what a task runs.
    pub from: Option<WayId>,
    /// By which label, with indices masked.
    pub label: Label,
    /// The type of the objects.
    pub type_id: TypeId,
    /// The place that it leads to: mostly one of its own, for links of a chain the place before. A
    /// place is called by the way that led there first.
    pub to: WayId,
    /// Of the objects the one that was reached first.
    pub first: ObjId,
    /// The same in each snapshot of a process, and for all classes of one name; once a
    /// [`PlaceHistory`](super::PlaceHistory) knows the place, also where another path leads there now.
    pub key: u64,
    /// The same in another snapshot where the first object of the place that the way starts at has the
    /// same address.
    pub(super) holder_key: u64,
    /// Number of objects that were reached by it first.
    pub n_objects: u32,
    /// References that these have.
    pub n_references: u64,
    /// Their size, with that of their `__dict__`.
    pub own_bytes: u64,
    /// The size of all that was reached through them first.
    pub total_bytes: u64,
}

/// All places of a snapshot. 13 bytes an object, 80 a place.
#[derive(Debug)]
pub struct Places {
    ways: Vec<Way>,
    /// The way by which each object was reached; [`PART`] is set where it but is a part of one.
    way_of: Vec<u32>,
    paths: Paths,
}

/// Of [`Places::way_of`]: not reached.
const NO_WAY: u32 = u32::MAX;
/// Of [`Places::way_of`]: the `__dict__` of an object, or a key there.
const PART: u32 = 1 << 31;
/// So many steps of the same label and type on one way are no chain yet.
const LONGEST_RUN: usize = 4;
/// How far up such steps are looked for.
const MOST_STEPS_UP: usize = 64;

impl Places {
    /// Merges the paths to all objects, breadth first, in the order of [`Paths::find`]. `O(V + E)`.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut merger = Merger::new(snapshot);
        for stage in Stage::all(snapshot) {
            match stage {
                Stage::Root(index, object) => {
                    let root = &snapshot.roots[index as usize];
                    merger.start(object, index, &root.text);
                }
                Stage::Spread => merger.spread(),
                Stage::SpreadPlainly => merger.spread_plainly(),
            }
        }
        merger.spread_on_byways();
        for class in static_types(snapshot) {
            merger.start(class, Search::STATIC_TYPE, "");
        }
        merger.spread();
        merger.spread_on_byways();
        for object in held_from_outside(snapshot) {
            merger.start(object, Search::OUTSIDE, "");
        }
        merger.spread();
        merger.spread_on_byways();
        merger.finish()
    }

    /// All ways. Those to a place come before those from it.
    pub fn ways(&self) -> impl Iterator<Item = (WayId, &Way)> {
        (0..).map(WayId).zip(&self.ways)
    }

    /// Likewise, to be changed.
    pub(super) fn ways_mut(&mut self) -> impl Iterator<Item = &mut Way> {
        self.ways.iter_mut()
    }

    /// A way.
    pub fn way(&self, way: WayId) -> &Way {
        &self.ways[way.0 as usize]
    }

    /// Of ways that are one in a [`PlaceHistory`](super::PlaceHistory) the first.
    pub(super) fn of_different_keys<'a>(
        &'a self,
        ways: &'a [WayId],
    ) -> impl Iterator<Item = &'a Way> {
        let mut seen = FxHashSet::default();
        let ways = ways.iter().map(|&way| self.way(way));
        ways.filter(move |way| seen.insert(way.key))
    }

    /// The way by which an object was reached; `None` for garbage and for what is but a part of another
    /// object.
    pub fn way_of(&self, object: ObjId) -> Option<WayId> {
        let way = self.way_of[object.0 as usize];
        (way & PART == 0).then_some(WayId(way))
    }

    /// The paths that were merged.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }
}

/// A search whose nodes are places.
struct Merger<'s> {
    snapshot: &'s Snapshot,
    search: Search,
    ways: Vec<Way>,
    way_of: Vec<u32>,
    ids: FxHashMap<Step, WayId>,
    /// Objects of each place whose references were not gone over yet.
    pending: Vec<Vec<ObjId>>,
    queue: VecDeque<WayId>,
    types: Vec<TypeTraits>,
    dict_name: Option<crate::snapshot::StrId>,
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Step {
    from: WayId,
    label: Label,
    type_id: TypeId,
    /// Of a generator or coroutine the address of its code, of a root which one it is.
    told_by: u64,
}

/// What is asked of a type for each object.
#[derive(Clone, Copy)]
struct TypeTraits {
    /// Whether instances that are reached through instances are links of one structure.
    is_python: bool,
    is_plain_dict: bool,
    /// Whether it is told apart by its code.
    has_code: bool,
}

/// The start of all ways from roots.
const ROOT: WayId = WayId(u32::MAX);

impl<'s> Merger<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let traits = |of_type: &crate::snapshot::Type| TypeTraits {
            is_python: of_type.flags & TypeFlags::PYTHON != 0
                && of_type.flags & (TypeFlags::TYPE | TypeFlags::DICT | TypeFlags::LIST) == 0,
            is_plain_dict: of_type.module.is_empty() && of_type.qualname == "dict",
            has_code: of_type.module.is_empty()
                && matches!(
                    &*of_type.qualname,
                    "generator" | "coroutine" | "async_generator"
                ),
        };
        Self {
            snapshot,
            search: Search::new(snapshot),
            ways: Vec::new(),
            way_of: vec![NO_WAY; snapshot.n_objects()],
            ids: FxHashMap::default(),
            pending: Vec::new(),
            queue: VecDeque::new(),
            types: snapshot.types.iter().map(traits).collect(),
            dict_name: snapshot.strings.find("__dict__"),
        }
    }

    fn traits(&self, object: ObjId) -> TypeTraits {
        self.types[self.type_id(object).0 as usize]
    }

    fn type_id(&self, object: ObjId) -> TypeId {
        self.snapshot.objects.type_id[object.0 as usize]
    }

    fn start(&mut self, object: ObjId, root: u32, text: &str) {
        if self.search.is_reached(object) {
            return;
        }
        self.search.start(object, root);
        let type_id = self.type_id(object);
        let kind = match self.snapshot.roots.get(root as usize) {
            Some(root) => root.kind as u64,
            None => u64::from(root),
        };
        let way = self.way(
            Step {
                from: ROOT,
                label: Label::new(LabelName::None),
                type_id,
                told_by: hash(&[kind, hash_text(text)]),
            },
            object,
        );
        self.add(way, object);
        if self.is_namespace(root, object) {
            self.attributes(way, object);
        }
    }

    /// Whether a root is a `dict` whose keys are names: `sys.modules` and the builtins.
    fn is_namespace(&self, root: u32, object: ObjId) -> bool {
        let root = self.snapshot.roots.get(root as usize);
        root.is_some_and(|root| matches!(root.kind, RootKind::Modules | RootKind::Builtins))
            && self.traits(object).is_plain_dict
    }

    fn spread(&mut self) {
        self.spread_plainly();
        while let Some((object, via)) = self.search.next_result() {
            self.follow_later(object, via);
            self.spread_plainly();
        }
    }

    fn spread_plainly(&mut self) {
        while let Some(place) = self.queue.pop_front() {
            for object in std::mem::take(&mut self.pending[place.0 as usize]) {
                self.visit(place, object);
            }
        }
    }

    fn spread_on_byways(&mut self) {
        while let Some((object, via)) = self.search.next_byway() {
            self.follow_later(object, via);
            self.spread();
        }
    }

    /// Follows a reference that was put off, if nothing has led to its target since.
    fn follow_later(&mut self, object: ObjId, via: u32) {
        if let Some((label, target)) = reference(self.snapshot, object, via)
            && !self.search.is_reached(target)
            && let Some(place) = self.place_of(object)
        {
            self.follow(place, object, via, label, target);
        }
    }

    /// The place that an object is in or a part of.
    fn place_of(&self, object: ObjId) -> Option<WayId> {
        let way = self.way_of[object.0 as usize];
        (way != NO_WAY).then(|| self.ways[(way & !PART) as usize].to)
    }

    fn visit(&mut self, place: WayId, object: ObjId) {
        let snapshot = self.snapshot;
        for (via, (label, target)) in (0..).zip(snapshot.references_of(object)) {
            if !self.search.is_reached(target)
                && !self.search.put_off(snapshot, (object, via), label, target)
            {
                self.follow(place, object, via, label, target);
            }
        }
    }

    fn follow(&mut self, place: WayId, object: ObjId, via: u32, label: Label, target: ObjId) {
        self.search.take(target, object, via);
        let is_attributes = matches!(label.name(), LabelName::Attribute(name)
            if Some(name) == self.dict_name)
            && self.traits(target).is_plain_dict;
        if is_attributes {
            self.way_of[target.0 as usize] = self.way_of[object.0 as usize] | PART;
            self.attributes(place, target);
            return;
        }
        let way = self.way_to(place, label, target);
        self.add(way, target);
    }

    /// The entries of a `dict` that are attributes of the objects of a place.
    fn attributes(&mut self, place: WayId, dict: ObjId) {
        let snapshot = self.snapshot;
        let own = self.way_of[dict.0 as usize] | PART;
        let mut name = None;
        for (via, (label, target)) in (0..).zip(snapshot.references_of(dict)) {
            match label.name() {
                LabelName::Key(_) => {
                    name = snapshot.key_start_id(target);
                    if name.is_some() && !self.search.is_reached(target) {
                        self.search.take(target, dict, via);
                        self.way_of[target.0 as usize] = own;
                    }
                }
                _ if self.search.is_reached(target) => {}
                LabelName::Value(_) => {
                    let label = match name {
                        Some(name) => Label::new(LabelName::Attribute(name)),
                        None => label,
                    };
                    self.search.take(target, dict, via);
                    let way = self.way_to(place, label, target);
                    self.add(way, target);
                }
                _ => self.follow(place, dict, via, label, target),
            }
        }
    }

    fn add(&mut self, way: WayId, object: ObjId) {
        self.way_of[object.0 as usize] = way.0;
        self.ways[way.0 as usize].n_objects += 1;
        let place = self.ways[way.0 as usize].to;
        let pending = &mut self.pending[place.0 as usize];
        if pending.is_empty() {
            self.queue.push_back(place);
        }
        pending.push(object);
    }

    /// The way from a place to an object.
    fn way_to(&mut self, from: WayId, label: Label, object: ObjId) -> WayId {
        let told_by = self.code_of(object);
        let is_of_task = told_by != 0 && self.is_task(from);
        let step = Step {
            from: if is_of_task { ROOT } else { from },
            label: masked(label),
            type_id: self.type_id(object),
            told_by,
        };
        self.way(step, object)
    }

    /// Whether a place is of asyncio's tasks. What such a one runs is a place of its own, as frames of
    /// threads are: by and by the task is reached through one thing that it waits for and another.
    fn is_task(&self, place: WayId) -> bool {
        let type_id = self.ways[place.0 as usize].type_id;
        let of_type = &self.snapshot.types[type_id.0 as usize];
        of_type.name == "Task" && matches!(&*of_type.module, "_asyncio" | "asyncio.tasks")
    }

    /// The way of a step, which is made where there is none.
    fn way(&mut self, step: Step, object: ObjId) -> WayId {
        if let Some(&way) = self.ids.get(&step) {
            return way;
        }
        let id = WayId(u32::try_from(self.ways.len()).unwrap_or(u32::MAX));
        let of_type = &self.snapshot.types[step.type_id.0 as usize];
        let from = (step.from != ROOT).then_some(step.from);
        let from_key = from.map_or(0, |from| self.ways[from.0 as usize].key);
        let key_from = |from_key| {
            hash(&[
                from_key,
                self.label_key(step.label),
                hash_text(&of_type.module),
                hash_text(&of_type.qualname),
                step.told_by,
            ])
        };
        let key = key_from(from_key);
        let holder_key = from
            .and_then(|from| self.holder(from))
            .map_or(key, key_from);
        self.ways.push(Way {
            from,
            label: step.label,
            type_id: step.type_id,
            to: self.chain(step).unwrap_or(id),
            first: object,
            key,
            holder_key,
            n_objects: 0,
            n_references: 0,
            own_bytes: 0,
            total_bytes: 0,
        });
        self.pending.push(Vec::new());
        self.ids.insert(step, id);
        id
    }

    /// What tells the first object of a place from all others, also at another look; `None` for a frame,
    /// whose memory is that of the next one.
    fn holder(&self, place: WayId) -> Option<u64> {
        let Way { first, type_id, .. } = self.ways[place.0 as usize];
        let of_type = &self.snapshot.types[type_id.0 as usize];
        let address = self.snapshot.objects.address[first.0 as usize];
        let parts = [
            address,
            hash_text(&of_type.module),
            hash_text(&of_type.qualname),
        ];
        (!of_type.is_frame()).then(|| hash(&parts))
    }

    /// The place that a step leads back to, as it is one more link of a chain or a tree: one of the same
    /// class made by Python code, or one after a run of the same steps.
    fn chain(&self, step: Step) -> Option<WayId> {
        let is_python = self.types[step.type_id.0 as usize].is_python;
        let mut n_same = 0;
        let mut nearest = None;
        let mut place = (step.from != ROOT).then_some(step.from);
        for _ in 0..MOST_STEPS_UP {
            let way = &self.ways[place?.0 as usize];
            if way.type_id == step.type_id {
                if is_python {
                    return place;
                }
                if way.label == step.label {
                    nearest = nearest.or(place);
                    n_same += 1;
                    if n_same >= LONGEST_RUN {
                        return nearest;
                    }
                }
            }
            place = way.from;
        }
        nearest
    }

    /// The address of the code of a suspended function; 0 for all else.
    fn code_of(&self, object: ObjId) -> u64 {
        if !self.traits(object).has_code {
            return 0;
        }
        let code = self.snapshot.references_of(object).find(|&(_, target)| {
            let of_type = self.snapshot.type_of(target);
            of_type.module.is_empty() && of_type.qualname == "code"
        });
        code.map_or(0, |(_, code)| {
            self.snapshot.objects.address[code.0 as usize]
        })
    }

    fn label_key(&self, label: Label) -> u64 {
        let text = |name| hash_text(self.snapshot.strings.get(name));
        match label.name() {
            LabelName::Attribute(name) => hash(&[2, text(name)]),
            LabelName::Local(name) => hash(&[3, text(name)]),
            LabelName::Internal(name) => hash(&[4, text(name)]),
            LabelName::Item(_) | LabelName::Member(_) | LabelName::Value(_) => 5,
            LabelName::Key(_) => 7,
            LabelName::Type => 1,
            LabelName::None => 0,
        }
    }

    fn finish(mut self) -> Places {
        let objects = &self.snapshot.objects;
        for object in self.snapshot.ids() {
            let index = object.0 as usize;
            if self.way_of[index] == NO_WAY {
                continue;
            }
            let way = &mut self.ways[(self.way_of[index] & !PART) as usize];
            let first = &self.snapshot.references.first;
            way.own_bytes += objects.size_bytes[index];
            way.n_references += first[index + 1] - first[index];
        }
        for index in (0..self.ways.len()).rev() {
            self.ways[index].total_bytes += self.ways[index].own_bytes;
            if let Some(from) = self.ways[index].from {
                self.ways[from.0 as usize].total_bytes += self.ways[index].total_bytes;
            }
        }
        Places {
            ways: self.ways,
            way_of: self.way_of,
            paths: Paths::of_search(self.search, self.snapshot),
        }
    }
}

/// A label without its place in a collection.
fn masked(label: Label) -> Label {
    match label.name() {
        LabelName::Item(_) | LabelName::Value(_) | LabelName::Member(_) => {
            Label::new(LabelName::Item(0))
        }
        LabelName::Key(_) => Label::new(LabelName::Key(0)),
        _ => label,
    }
}

/// The same in each process that does not change between snapshots.
fn hash(numbers: &[u64]) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = rustc_hash::FxHasher::default();
    numbers.hash(&mut hasher);
    hasher.finish()
}

fn hash_text(text: &str) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = rustc_hash::FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
