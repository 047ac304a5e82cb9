//! What would be freed with an object: the dominator tree, and retained sizes.
//!
//! An object *dominates* another if each way from the roots to that one goes through it. The roots are
//! those of [`Reached`](crate::Reached): what it does not reach is in no tree. All references of the
//! snapshot count, those of weak containers too: a `WeakKeyDictionary` does keep its values, and a weak
//! reference itself refers to nothing that it would keep.

mod preorder;
mod semi_nca;
#[cfg(test)]
mod tests;

use crate::reach::{held_from_outside, static_types};
use crate::snapshot::{ObjId, Snapshot};
use preorder::Preorder;

/// Of [`Dominators::place`]: garbage.
const NOWHERE: u32 = u32::MAX;
/// Of [`Dominators::dominator`]: the roots alone.
const ROOTS: u32 = u32::MAX;

/// The dominator tree. 28 bytes an object; [`Dominators::of`] takes up to 20 an object and 16 a
/// reference more for a moment.
///
/// Objects have *places* in an order in which those that one dominates follow it without a gap, so
/// that a subtree is a range.
#[derive(Clone, Debug)]
pub struct Dominators {
    /// The place of each object; [`NOWHERE`].
    place: Vec<u32>,
    /// The object at each place.
    object: Vec<ObjId>,
    /// The place of what dominates the object at each place immediately; [`ROOTS`].
    dominator: Vec<u32>,
    /// How many places the subtree at each place takes, itself included.
    n_retained: Vec<u32>,
    /// The bytes of all objects before each place, and at last of all.
    bytes_before: Vec<u64>,
}

impl Dominators {
    /// The tree of a snapshot: Semi-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and
    /// Related Problems", 2005). `O(E log V)` but for shapes that are not met in heaps.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut preorder = Preorder::of(snapshot, &roots(snapshot));
        let dominators = semi_nca::immediate_dominators(&mut preorder);
        Self::placed(snapshot, preorder.number, &preorder.object, &dominators)
    }

    /// Puts each object next to what it dominates. Numbers are those of [`Preorder`].
    fn placed(
        snapshot: &Snapshot,
        mut place: Vec<u32>,
        by_number: &[ObjId],
        dominators: &[u32],
    ) -> Self {
        let n_numbers = by_number.len();
        let mut n_retained = vec![1_u32; n_numbers];
        for number in (1..n_numbers).rev() {
            n_retained[dominators[number] as usize] += n_retained[number];
        }
        // Of each number, where the next subtree below it goes: what dominates has a lower number.
        let mut next = vec![0_u32; n_numbers];
        let mut tree = Self {
            place: Vec::new(),
            object: vec![ObjId(0); n_numbers - 1],
            dominator: vec![ROOTS; n_numbers - 1],
            n_retained: vec![0; n_numbers - 1],
            bytes_before: vec![0; n_numbers],
        };
        for number in 1..n_numbers {
            let dominator = dominators[number] as usize;
            let here = next[dominator];
            next[dominator] += n_retained[number];
            next[number] = here + 1;
            tree.object[here as usize] = by_number[number];
            tree.n_retained[here as usize] = n_retained[number];
            if dominator != 0 {
                // Its own place is not kept any more, but the object's is.
                tree.dominator[here as usize] = place[by_number[dominator].0 as usize];
            }
            place[by_number[number].0 as usize] = here;
        }
        let mut sum = 0_u64;
        for (object, before) in tree.object.iter().zip(&mut tree.bytes_before[1..]) {
            sum = sum.saturating_add(snapshot.objects.size_bytes[object.0 as usize]);
            *before = sum;
        }
        tree.place = place;
        tree
    }

    /// Whether an object is in the tree: something alive refers to it.
    pub fn is_reached(&self, object: ObjId) -> bool {
        self.place_of(object).is_some()
    }

    /// How many objects are in the tree, running frames included.
    pub fn n_objects(&self) -> usize {
        self.object.len()
    }

    /// The bytes of all objects in the tree.
    pub fn total_bytes(&self) -> u64 {
        self.bytes_before.last().copied().unwrap_or(0)
    }

    /// What dominates an object immediately; `None` where that is the roots alone, and for garbage.
    pub fn dominator(&self, object: ObjId) -> Option<ObjId> {
        match self.dominator[self.place_of(object)?] {
            ROOTS => None,
            place => Some(self.object[place as usize]),
        }
    }

    /// The bytes that would be freed with an object, its own included; 0 for garbage.
    pub fn retained_bytes(&self, object: ObjId) -> u64 {
        self.place_of(object).map_or(0, |place| {
            let end = place + self.n_retained[place] as usize;
            self.bytes_before[end] - self.bytes_before[place]
        })
    }

    /// The objects that would be freed with an object, itself included; 0 for garbage.
    pub fn n_retained(&self, object: ObjId) -> u32 {
        self.place_of(object)
            .map_or(0, |place| self.n_retained[place])
    }

    /// What an object dominates immediately.
    pub fn children(&self, object: ObjId) -> impl Iterator<Item = ObjId> + '_ {
        let (first, end) = self.place_of(object).map_or((0, 0), |place| {
            (place + 1, place + self.n_retained[place] as usize)
        });
        self.subtrees(first, end)
    }

    /// What the roots alone dominate.
    pub fn top_level(&self) -> impl Iterator<Item = ObjId> + '_ {
        self.subtrees(0, self.object.len())
    }

    /// All objects, what one dominates right after it: with each how many that are, itself included.
    pub fn in_order(&self) -> impl Iterator<Item = (ObjId, u32)> + '_ {
        self.object
            .iter()
            .copied()
            .zip(self.n_retained.iter().copied())
    }

    /// All that an object dominates, itself first.
    pub fn subtree(&self, object: ObjId) -> impl Iterator<Item = ObjId> + '_ {
        let range = self
            .place_of(object)
            .map_or(0..0, |place| place..place + self.n_retained[place] as usize);
        self.object[range].iter().copied()
    }

    /// Whether `one` dominates `other`, immediately or not, or is the same.
    pub fn dominates(&self, one: ObjId, other: ObjId) -> bool {
        let (Some(one), Some(other)) = (self.place_of(one), self.place_of(other)) else {
            return false;
        };
        (one..one + self.n_retained[one] as usize).contains(&other)
    }

    fn subtrees(&self, first: usize, end: usize) -> impl Iterator<Item = ObjId> + '_ {
        let step = move |&place: &usize| Some(place + self.n_retained[place] as usize);
        std::iter::successors(Some(first).filter(|&first| first < end), move |place| {
            step(place).filter(|&next| next < end)
        })
        .map(|place| self.object[place])
    }

    fn place_of(&self, object: ObjId) -> Option<usize> {
        let place = self.place[object.0 as usize];
        (place != NOWHERE).then_some(place as usize)
    }
}

/// All that is alive without a reference from the heap; some more than once.
pub(crate) fn roots(snapshot: &Snapshot) -> Vec<ObjId> {
    let named = snapshot.roots.iter().map(|root| root.object);
    named
        .chain(static_types(snapshot))
        .chain(held_from_outside(snapshot))
        .collect()
}
