//! A set of objects: a bit for each of the snapshot.

use crate::snapshot::ObjId;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectSet {
    bits: Vec<u64>,
}

impl ObjectSet {
    /// None of `n_objects`.
    pub(crate) fn none(n_objects: usize) -> Self {
        Self {
            bits: vec![0; n_objects.div_ceil(64)],
        }
    }

    pub(crate) fn contains(&self, object: ObjId) -> bool {
        self.bits[object.0 as usize / 64] & (1 << (object.0 % 64)) != 0
    }

    /// Adds an object; whether it was not there before.
    pub(crate) fn add(&mut self, object: ObjId) -> bool {
        let is_new = !self.contains(object);
        self.bits[object.0 as usize / 64] |= 1 << (object.0 % 64);
        is_new
    }
}
