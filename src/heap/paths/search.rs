//! The search itself: breadth first, with a second queue for ways that say little.

use std::collections::VecDeque;

use leakhunt_wire::TypeFlags;
use rustc_hash::FxHashMap;

use super::fleeting::{fleeting, is_planned_call};
use super::is_exact;
use crate::snapshot::{Label, LabelName, ObjId, Snapshot};

/// Of [`Search::parent`]: not reached.
const NOBODY: u32 = u32::MAX;
/// Of [`Search::parent`]: a root, whose index is in [`Search::via`].
const ROOT: u32 = u32::MAX - 1;

/// A tree of shortest paths.
#[derive(Debug)]
pub(crate) struct Search {
    /// Who refers to each object on its path.
    parent: Vec<u32>,
    /// Which of the parent's references that is; of a root its index.
    via: Vec<u32>,
    queue: VecDeque<ObjId>,
    /// What caches of functions' results refer to, for when nothing else of the roots so far leads on:
    /// who refers, and which reference.
    results: VecDeque<(ObjId, u32)>,
    /// References that say little, likewise.
    byways: VecDeque<(ObjId, u32)>,
    /// How each type's references are to be judged.
    manners: Vec<Manner>,
    /// See [`fleeting`].
    fleeting: FxHashMap<ObjId, Option<ObjId>>,
}

/// Which references of an object say little.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Manner {
    /// Only that to its type.
    Plain,
    /// A class: its bases and caches.
    Class,
    /// A running frame: what is not a local variable.
    Frame,
    /// A function: its globals.
    Function,
    /// Those of a container with weak references, and of what keeps it in order: all.
    Weak,
    /// What is to be called when an object dies, with its arguments: all.
    Finalizer,
    /// A call that an event loop will make, gone when it is made: all.
    Call,
    /// A cache of a function's results: the arguments that these are found by. The results themselves
    /// are put off for less long.
    Results,
}

impl Search {
    /// Index of a root that is none of the snapshot's.
    pub(crate) const OUTSIDE: u32 = u32::MAX;
    /// Index of a root that is a type which was not made in dynamic memory.
    pub(crate) const STATIC_TYPE: u32 = u32::MAX - 1;

    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let manner = |of_type: &crate::snapshot::Type| {
            if of_type.is_frame() {
                Manner::Frame
            } else if of_type.flags & TypeFlags::TYPE != 0 {
                Manner::Class
            } else if of_type.module == "weakref" && matches!(&*of_type.name, "finalize" | "_Info")
            {
                Manner::Finalizer
            } else if matches!(&*of_type.module, "weakref" | "_weakrefset") {
                Manner::Weak
            } else if of_type.module.is_empty() && of_type.name == "function" {
                Manner::Function
            } else if is_planned_call(of_type) {
                Manner::Call
            } else if of_type.name == "_lru_cache_wrapper" {
                Manner::Results
            } else {
                Manner::Plain
            }
        };
        Self {
            parent: vec![NOBODY; snapshot.n_objects()],
            via: vec![0; snapshot.n_objects()],
            queue: VecDeque::new(),
            results: VecDeque::new(),
            byways: VecDeque::new(),
            manners: snapshot.types.iter().map(manner).collect(),
            fleeting: fleeting(snapshot),
        }
    }

    /// Makes an object a root, unless it is reached already.
    pub(crate) fn start(&mut self, object: ObjId, root: u32) {
        self.reach(object, ROOT, root);
    }

    /// Goes on from what was reached, except on byways.
    pub(super) fn spread(&mut self, snapshot: &Snapshot) {
        self.spread_plainly(snapshot);
        while let Some((object, via)) = self.next_result() {
            if let Some((_, target)) = reference(snapshot, object, via) {
                self.reach(target, object.0, via);
            }
            self.spread_plainly(snapshot);
        }
    }

    /// Goes on from what was reached, except by what was put off.
    pub(super) fn spread_plainly(&mut self, snapshot: &Snapshot) {
        while let Some(object) = self.queue.pop_front() {
            for (via, (label, target)) in (0..).zip(snapshot.references_of(object)) {
                if !self.is_reached(target) && !self.put_off(snapshot, (object, via), label, target)
                {
                    self.reach(target, object.0, via);
                }
            }
        }
    }

    /// Goes on on the byways, one after the other, and from where they lead to.
    pub(super) fn spread_on_byways(&mut self, snapshot: &Snapshot) {
        while let Some((object, via)) = self.next_byway() {
            if let Some((_, target)) = reference(snapshot, object, via)
                && !self.is_reached(target)
            {
                self.reach(target, object.0, via);
                self.spread(snapshot);
            }
        }
    }

    pub(crate) fn is_reached(&self, object: ObjId) -> bool {
        self.parent[object.0 as usize] != NOBODY
    }

    /// The index of the root, and the objects from there on with the labels that lead to them.
    pub(super) fn steps_to(
        &self,
        snapshot: &Snapshot,
        object: ObjId,
    ) -> Option<(u32, Vec<(Label, ObjId)>)> {
        let mut steps = Vec::new();
        let mut object = object;
        loop {
            let via = self.via[object.0 as usize];
            match self.parent[object.0 as usize] {
                NOBODY => return None,
                ROOT => {
                    steps.push((Label::new(LabelName::None), object));
                    steps.reverse();
                    return Some((via, steps));
                }
                parent => {
                    let (label, _) = reference(snapshot, ObjId(parent), via)?;
                    steps.push((label, object));
                    object = ObjId(parent);
                }
            }
        }
    }

    /// Whether a reference is one to follow later: then it is left for [`Search::next_result`] or
    /// [`Search::next_byway`].
    pub(crate) fn put_off(
        &mut self,
        snapshot: &Snapshot,
        (object, via): (ObjId, u32),
        label: Label,
        target: ObjId,
    ) -> bool {
        if self.says_little(snapshot, object, label, target) {
            self.byways.push_back((object, via));
        } else if self.is_result(snapshot, object, label, target) {
            self.results.push_back((object, via));
        } else {
            return false;
        }
        true
    }

    /// Whether a cache remembers an object, which mostly is there for something else.
    fn is_result(&self, snapshot: &Snapshot, object: ObjId, label: Label, target: ObjId) -> bool {
        match label.name() {
            LabelName::Value(_) => self
                .parent(object)
                .is_some_and(|owner| self.manner(snapshot, owner) == Manner::Results),
            LabelName::None | LabelName::Internal(_) => {
                self.manner(snapshot, object) == Manner::Results
                    && !is_exact(snapshot, target, "dict")
            }
            _ => false,
        }
    }

    /// Whether a reference of an object says little of why its target is there.
    fn says_little(&self, snapshot: &Snapshot, object: ObjId, label: Label, target: ObjId) -> bool {
        let is_argument = match label.name() {
            // The entries are in a `dict` of its own; each has its arguments in a `tuple`.
            LabelName::Key(_) => self
                .parent(object)
                .is_some_and(|owner| self.manner(snapshot, owner) == Manner::Results),
            LabelName::None | LabelName::Internal(_) => {
                self.manner(snapshot, object) == Manner::Results
                    && is_exact(snapshot, target, "tuple")
            }
            _ => false,
        };
        is_argument
            || says_little(snapshot, self.manner(snapshot, object), label)
            || self.is_fleeting(object)
    }

    /// Whether an object's references do not last.
    fn is_fleeting(&self, object: ObjId) -> bool {
        match self.fleeting.get(&object) {
            None => false,
            Some(None) => true,
            // It refers to that by itself or by its `__dict__`.
            Some(&Some(thread)) => {
                let parent = self.parent(object);
                let above = parent.and_then(|parent| self.parent(parent));
                [parent, above].contains(&Some(thread))
            }
        }
    }

    fn manner(&self, snapshot: &Snapshot, object: ObjId) -> Manner {
        self.manners[snapshot.objects.type_id[object.0 as usize].0 as usize]
    }

    /// Whether the references of an object keep nothing alive.
    pub(crate) fn is_weak(&self, snapshot: &Snapshot, object: ObjId) -> bool {
        self.manner(snapshot, object) == Manner::Weak
    }

    /// The next reference of a cache that was put off; its target may be reached by now.
    pub(crate) fn next_result(&mut self) -> Option<(ObjId, u32)> {
        self.results.pop_front()
    }

    /// The next reference that was put off: who refers, and which of its references that is.
    pub(crate) fn next_byway(&mut self) -> Option<(ObjId, u32)> {
        self.byways.pop_front()
    }

    /// Who refers to an object on its path; `None` for roots and for what is not reached.
    pub(crate) fn parent(&self, object: ObjId) -> Option<ObjId> {
        let parent = self.parent[object.0 as usize];
        (parent < ROOT).then_some(ObjId(parent))
    }

    /// What that reference is for.
    pub(crate) fn label_to(&self, snapshot: &Snapshot, object: ObjId) -> Option<Label> {
        let parent = self.parent(object)?;
        Some(reference(snapshot, parent, self.via[object.0 as usize])?.0)
    }

    /// Takes a reference as the path to an object, unless it is reached already. Whoever calls this
    /// goes over the object's own references.
    pub(crate) fn take(&mut self, object: ObjId, parent: ObjId, via: u32) {
        if !self.is_reached(object) {
            self.parent[object.0 as usize] = parent.0;
            self.via[object.0 as usize] = via;
        }
    }

    /// The last step to an object: the index of the root that it is, or who refers to it and by which
    /// reference.
    pub(super) fn arrival(&self, object: ObjId) -> Option<Result<u32, (ObjId, u32)>> {
        let via = self.via[object.0 as usize];
        match self.parent[object.0 as usize] {
            NOBODY => None,
            ROOT => Some(Ok(via)),
            parent => Some(Err((ObjId(parent), via))),
        }
    }

    fn reach(&mut self, object: ObjId, parent: u32, via: u32) {
        if !self.is_reached(object) {
            self.parent[object.0 as usize] = parent;
            self.via[object.0 as usize] = via;
            self.queue.push_back(object);
        }
    }
}

/// One of the references of an object.
pub(crate) fn reference(snapshot: &Snapshot, object: ObjId, via: u32) -> Option<(Label, ObjId)> {
    let index = snapshot.references.first[object.0 as usize] as usize + via as usize;
    let label = snapshot.references.label.get(index)?;
    Some((*label, *snapshot.references.target.get(index)?))
}

fn says_little(snapshot: &Snapshot, manner: Manner, label: Label) -> bool {
    let text = |text| snapshot.strings.get(text);
    match (manner, label.name()) {
        (_, LabelName::Type) | (Manner::Weak | Manner::Finalizer | Manner::Call, _) => true,
        (Manner::Plain | Manner::Results, _) => false,
        (Manner::Class, LabelName::Attribute(name)) => {
            matches!(text(name), "__mro__" | "__bases__" | "__base__")
        }
        (Manner::Class, name) => matches!(name, LabelName::Internal(_) | LabelName::None),
        (Manner::Frame, name) => !matches!(name, LabelName::Local(_)),
        (Manner::Function, LabelName::Attribute(name)) => {
            matches!(text(name), "__globals__" | "__builtins__")
        }
        (Manner::Function, _) => false,
    }
}
