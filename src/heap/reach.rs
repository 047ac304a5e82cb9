//! What is alive, and what a collection would free.

use leakhunt_wire::TypeFlags;

use crate::object_set::ObjectSet;
use crate::referrers::in_degrees;
use crate::snapshot::{ObjId, Objects, Snapshot};

/// The objects that something alive refers to: a bit for each.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    objects: ObjectSet,
    n_objects: usize,
}

impl Reached {
    /// All that is reached from roots, running frames, static types, what is never freed, and what
    /// has more references than the snapshot's objects make: something outside of the heap holds it.
    /// The rest is garbage that was not collected yet. `O(V + E)`, 8 bytes an object for a moment.
    pub fn from_roots(snapshot: &Snapshot) -> Self {
        let mut reached = Self::none(snapshot.n_objects());
        let mut queue = Vec::new();
        let named = snapshot.roots.iter().map(|root| root.object);
        let outside = held_from_outside(snapshot);
        for root in named.chain(static_types(snapshot)).chain(outside) {
            if reached.add(root) {
                queue.push(root);
            }
        }
        while let Some(object) = queue.pop() {
            for (_, target) in snapshot.references_of(object) {
                if reached.add(target) {
                    queue.push(target);
                }
            }
        }
        reached
    }

    /// Whether an object is among them.
    pub fn contains(&self, object: ObjId) -> bool {
        self.objects.contains(object)
    }

    /// How many objects are reached.
    pub fn len(&self) -> usize {
        self.n_objects
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.n_objects == 0
    }

    fn none(n_objects: usize) -> Self {
        Self {
            objects: ObjectSet::none(n_objects),
            n_objects: 0,
        }
    }

    /// Whether it was not there before.
    fn add(&mut self, object: ObjId) -> bool {
        let is_new = self.objects.add(object);
        self.n_objects += usize::from(is_new);
        is_new
    }
}

/// Types that were not made in dynamic memory.
pub(crate) fn static_types(snapshot: &Snapshot) -> impl Iterator<Item = ObjId> + '_ {
    snapshot
        .types
        .iter()
        .filter(|of_type| of_type.flags & TypeFlags::HEAP_TYPE == 0 && !of_type.is_frame())
        .filter_map(|of_type| snapshot.objects.at(of_type.address))
}

/// Objects that are never freed, running frames, and objects with more references than are known.
pub(crate) fn held_from_outside(snapshot: &Snapshot) -> impl Iterator<Item = ObjId> + '_ {
    let in_degrees = in_degrees(snapshot);
    snapshot.ids().filter(move |&object| {
        let count = snapshot.objects.reference_count[object.0 as usize];
        count == Objects::NEVER_FREED
            || count > in_degrees[object.0 as usize]
            || snapshot.type_of(object).is_frame()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{SnapshotBuilder, Via};
    use crate::random::Random;
    use crate::snapshot::RootKind;

    /// Spreads over all references until nothing changes.
    fn brute_force(heap: &Snapshot) -> Vec<bool> {
        let mut in_degrees = vec![0; heap.n_objects()];
        for from in heap.ids() {
            for (_, to) in heap.references_of(from) {
                in_degrees[to.0 as usize] += 1;
            }
        }
        let mut reached: Vec<bool> = heap
            .ids()
            .map(|object| {
                heap.roots.iter().any(|root| root.object == object)
                    || heap.objects.reference_count[object.0 as usize]
                        > in_degrees[object.0 as usize]
            })
            .collect();
        for _ in heap.ids() {
            for from in heap
                .ids()
                .filter(|from| reached[from.0 as usize])
                .collect::<Vec<_>>()
            {
                for (_, to) in heap.references_of(from) {
                    reached[to.0 as usize] = true;
                }
            }
        }
        reached
    }

    #[test]
    fn what_is_reached_is_what_brute_force_reaches() {
        let mut random = Random::new(2);
        let mut n_garbage = 0;
        for _ in 0..300 {
            let heap = random.heap(30, 60);
            let reached = Reached::from_roots(&heap);
            let expected = brute_force(&heap);
            let found: Vec<bool> = heap.ids().map(|object| reached.contains(object)).collect();
            assert_eq!(found, expected);
            assert_eq!(reached.len(), expected.iter().filter(|&&is| is).count());
            n_garbage += expected.iter().filter(|&&is| !is).count();
        }
        assert!(n_garbage > 100, "{n_garbage}");
    }

    #[test]
    fn a_cycle_that_nothing_holds_is_garbage_and_one_in_a_running_frame_is_not() {
        let mut heap = SnapshotBuilder::new();
        let ring = |heap: &mut SnapshotBuilder| {
            let (one, other) = (heap.tracked("list"), heap.tracked("list"));
            heap.reference(one, Via::Item(0), other);
            heap.reference(other, Via::Item(0), one);
            one
        };
        let garbage = ring(&mut heap);
        let held = ring(&mut heap);
        let native = ring(&mut heap);
        let builtin = heap.class("list");
        let dict = heap.object("dict");
        heap.reference(builtin, Via::Attribute("__dict__"), dict);
        let frame = heap.frame("work");
        heap.reference(frame, Via::Local("ring"), held);
        heap.count(held, 1);
        heap.count(native, 2);
        heap.root(RootKind::Thread, frame);
        let heap = heap.finish();
        let reached = Reached::from_roots(&heap);
        for (object, is_alive) in [
            (garbage, false),
            (held, true),
            (native, true),
            (builtin, true),
            (dict, true),
            (frame, true),
        ] {
            assert_eq!(reached.contains(object), is_alive, "{object:?}");
        }
    }
}
