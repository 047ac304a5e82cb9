//! What guppy's `heap()` would see of a snapshot.

use super::kinds::Kinds;
use crate::snapshot::{ObjId, Snapshot};

/// The objects that are reached from the roots. One bit an object.
#[derive(Clone, Debug, Default)]
pub struct Visible {
    words: Vec<u64>,
}

/// What is reached from the interpreter, the threads and all running frames by what guppy follows:
/// garbage is not, nor is a `str` that is nothing but a key.
pub fn visible(snapshot: &Snapshot) -> Visible {
    let kinds = Kinds::of(snapshot, false);
    let mut visible = Visible {
        words: vec![0; snapshot.n_objects().div_ceil(64)],
    };
    let mut stack: Vec<ObjId> = Vec::new();
    for root in &snapshot.roots {
        if visible.add(root.object) {
            stack.push(root.object);
        }
    }
    while let Some(object) = stack.pop() {
        for (_, target) in kinds.references_seen(snapshot, object) {
            if visible.add(target) {
                stack.push(target);
            }
        }
    }
    visible
}

impl Visible {
    /// Whether it is among them.
    pub fn has(&self, object: ObjId) -> bool {
        let (word, bit) = (object.0 as usize / 64, object.0 % 64);
        self.words
            .get(word)
            .is_some_and(|word| word >> bit & 1 != 0)
    }

    /// Whether it was not among them yet.
    fn add(&mut self, object: ObjId) -> bool {
        let (word, bit) = (object.0 as usize / 64, object.0 % 64);
        let Some(word) = self.words.get_mut(word) else {
            return false;
        };
        let is_new = *word >> bit & 1 == 0;
        *word |= 1 << bit;
        is_new
    }
}
