//! Depth first over the heap: numbers by which dominators are found, and the references between them
//! that say more than the tree of the search.

use crate::snapshot::{ObjId, Snapshot};

/// Of [`Preorder::number`]: not reached.
pub(super) const NOT_REACHED: u32 = super::NOWHERE;

/// The objects in the order of a search depth first. Number 0 is what holds the roots; all columns but
/// [`Preorder::number`] start with it.
pub(super) struct Preorder {
    /// The number of each object of the snapshot; [`NOT_REACHED`].
    pub(super) number: Vec<u32>,
    /// The object of each number; of number 0 none that counts.
    pub(super) object: Vec<ObjId>,
    /// Which number each was first reached from; lower.
    pub(super) parent: Vec<u32>,
    /// The lowest number that refers to each.
    pub(super) lowest_referrer: Vec<u32>,
    /// All references to a lower number, as `(to, from)`, in no order; not those to roots, whose
    /// dominator is known.
    pub(super) backward: Vec<(u32, u32)>,
}

impl Preorder {
    /// Searches from all roots. `O(V + E)`.
    pub(super) fn of(snapshot: &Snapshot, roots: &[ObjId]) -> Self {
        let n_objects = snapshot.n_objects();
        let mut preorder = Self {
            number: vec![NOT_REACHED; n_objects],
            object: column(n_objects, ObjId(0)),
            parent: column(n_objects, 0),
            lowest_referrer: column(n_objects, 0),
            backward: Vec::new(),
        };
        let mut is_root = vec![0_u64; n_objects.div_ceil(64)];
        for root in roots {
            is_root[root.0 as usize / 64] |= 1 << (root.0 % 64);
        }
        let is_root = |object: ObjId| is_root[object.0 as usize / 64] & (1 << (object.0 % 64)) != 0;
        // Objects whose references are being gone over, each with how many of them are done.
        let mut open: Vec<(u32, u32)> = Vec::new();
        for &root in roots {
            if preorder.number[root.0 as usize] != NOT_REACHED {
                continue;
            }
            open.push((preorder.reach(root, 0, 0), 0));
            while let Some((from, n_done)) = open.pop() {
                preorder.go_on(snapshot, &is_root, &mut open, from, n_done);
            }
        }
        preorder
    }

    /// Goes over the references of an object until one leads to a new object, which is next then.
    fn go_on(
        &mut self,
        snapshot: &Snapshot,
        is_root: &impl Fn(ObjId) -> bool,
        open: &mut Vec<(u32, u32)>,
        from: u32,
        n_done: u32,
    ) {
        let object = self.object[from as usize].0 as usize;
        let [first, end] = [object, object + 1].map(|at| snapshot.references.first[at] as usize);
        let targets = &snapshot.references.target[first..end];
        for (at, &target) in (n_done..).zip(&targets[n_done as usize..]) {
            let number = self.number[target.0 as usize];
            if number == NOT_REACHED {
                let lowest = if is_root(target) { 0 } else { from };
                let new = self.reach(target, from, lowest);
                open.push((from, at + 1));
                open.push((new, 0));
                return;
            }
            let lowest = &mut self.lowest_referrer[number as usize];
            if *lowest == 0 {
                continue;
            }
            if from < number {
                *lowest = (*lowest).min(from);
            } else if from > number {
                self.backward.push((number, from));
            }
        }
    }

    fn reach(&mut self, object: ObjId, parent: u32, lowest_referrer: u32) -> u32 {
        let number = self.object.len() as u32;
        self.number[object.0 as usize] = number;
        self.object.push(object);
        self.parent.push(parent);
        self.lowest_referrer.push(lowest_referrer);
        number
    }
}

/// A column with its first row.
fn column<T>(n_objects: usize, first: T) -> Vec<T> {
    let mut column = Vec::with_capacity(n_objects + 1);
    column.push(first);
    column
}
