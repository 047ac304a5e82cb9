//! Small heaps at random, for tests against brute force.

use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::{ObjId, RootKind, Snapshot};

/// Xorshift: the same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32 % end
    }

    /// Lists, some roots, some held from outside, some never freed.
    pub(crate) fn heap(&mut self, n_objects: u32, n_references: u32) -> Snapshot {
        let mut heap = SnapshotBuilder::new();
        for _ in 0..n_objects {
            heap.tracked("list");
        }
        for place in 0..self.below(n_references) {
            let (from, to) = (self.below(n_objects), self.below(n_objects));
            heap.reference(ObjId(from), Via::Item(place), ObjId(to));
        }
        for kind in [RootKind::Modules, RootKind::Thread] {
            if self.below(2) == 0 {
                heap.root(kind, ObjId(self.below(n_objects)));
            }
        }
        let mut heap = heap.finish();
        for count in &mut heap.objects.reference_count {
            match self.below(30) {
                0 => *count += 1,
                1 => *count = crate::snapshot::Objects::NEVER_FREED,
                _ => {}
            }
        }
        heap
    }
}
