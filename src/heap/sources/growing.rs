//! Which types have more live objects than ever before.

use std::collections::BTreeMap;

use super::is_of_a_program;
use crate::paths::Paths;
use crate::snapshot::Snapshot;

/// The most live objects of each type so far. Memory: an entry for each name ever seen.
#[derive(Clone, Debug, Default)]
pub struct GrowingTypes {
    peaks: BTreeMap<String, Peak>,
    has_looked: bool,
}

/// A type with more live objects than ever before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GrowingType {
    /// `module.qualname`; the builtins without a module.
    pub type_key: String,
    /// `__name__`.
    pub type_name: String,
    /// The most live objects so far.
    pub n_before: u64,
    /// Live objects now.
    pub n_objects: u64,
    /// The bytes of the most live objects so far.
    pub bytes_before: u64,
    /// The bytes of the live objects now.
    pub size_bytes: u64,
    /// Objects that nothing alive refers to and that are not freed yet.
    pub n_garbage: u64,
    /// Whether it is a class of a program, and neither Python's own nor made in C.
    pub is_of_a_program: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    n_objects: u64,
    size_bytes: u64,
}

impl GrowingType {
    /// Objects more than ever before.
    pub fn n_grown(&self) -> u64 {
        self.n_objects.saturating_sub(self.n_before)
    }

    /// Bytes more than at the peak before; 0 where the objects became smaller.
    pub fn bytes_grown(&self) -> u64 {
        self.size_bytes.saturating_sub(self.bytes_before)
    }
}

impl GrowingTypes {
    /// Takes in a look, and tells what is over its peak, the most objects first, of equals the most
    /// bytes. Nothing at the first: it is what the others are compared with. Only types whose key
    /// passes `matches` are told.
    pub fn observe(
        &mut self,
        snapshot: &Snapshot,
        paths: &Paths,
        mut matches: impl FnMut(&str) -> bool,
    ) -> Vec<GrowingType> {
        let mut grown = Vec::new();
        for now in count(snapshot, paths) {
            let peak = self.peaks.entry(now.type_key.clone()).or_default();
            let is_over = now.n_objects > peak.n_objects;
            if is_over && self.has_looked && matches(&now.type_key) {
                grown.push(GrowingType {
                    n_before: peak.n_objects,
                    bytes_before: peak.size_bytes,
                    ..now
                });
            }
            if is_over {
                peak.n_objects = now.n_objects;
                peak.size_bytes = now.size_bytes;
            }
        }
        self.has_looked = true;
        grown.sort_by_key(|growth| std::cmp::Reverse((growth.n_grown(), growth.bytes_grown())));
        grown
    }
}

/// The objects of all types, ascending by key.
fn count(snapshot: &Snapshot, paths: &Paths) -> Vec<GrowingType> {
    let mut counts = vec![(0_u64, 0_u64, 0_u64); snapshot.types.len()];
    for object in snapshot.ids() {
        let index = object.0 as usize;
        let count = &mut counts[snapshot.objects.type_id[index].0 as usize];
        if paths.is_reached(object) {
            count.0 += 1;
            count.1 = count.1.saturating_add(snapshot.objects.size_bytes[index]);
        } else {
            count.2 += 1;
        }
    }
    let mut by_key = BTreeMap::<String, GrowingType>::new();
    for (of_type, (n_objects, size_bytes, n_garbage)) in snapshot.types.iter().zip(counts) {
        if of_type.is_frame() {
            continue;
        }
        let sum = by_key.entry(of_type.key()).or_insert_with(|| GrowingType {
            type_key: of_type.key(),
            type_name: of_type.name.clone(),
            n_before: 0,
            n_objects: 0,
            bytes_before: 0,
            size_bytes: 0,
            n_garbage: 0,
            is_of_a_program: is_of_a_program(of_type),
        });
        sum.n_objects += n_objects;
        sum.size_bytes = sum.size_bytes.saturating_add(size_bytes);
        sum.n_garbage += n_garbage;
    }
    by_key.into_values().collect()
}
