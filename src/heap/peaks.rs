//! Growth as objgraph tells it: against peaks that never fall.

use std::collections::{HashMap, HashSet};

use crate::look::{Look, MAX_TYPES};

/// The highest count of each short name so far, as `objgraph.growth()` keeps them.
///
/// objgraph sees `gc.get_objects()`: frozen objects do not count. Memory: one entry for each name
/// ever seen, at most [`MAX_TYPES`]; then the names that are gone are forgotten.
#[derive(Clone, Debug, Default)]
pub struct Peaks {
    by_name: HashMap<String, u64>,
}

/// A short name with more objects than ever before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeakGrowth {
    /// `__name__`, of all types that have it.
    pub name: String,
    /// How many objects there are.
    pub n_objects: u64,
    /// How many more than at the peak before.
    pub delta: u64,
}

impl Peaks {
    /// What grew over its peak, the most first, of equals the first seen first; raises the peaks.
    /// Only types whose key passes `counts` are looked at.
    pub fn observe(&mut self, look: &Look, counts: impl Fn(&str) -> bool) -> Vec<PeakGrowth> {
        let mut grown = Vec::new();
        let by_name = count_by_name(look, counts);
        for (name, n_objects) in &by_name {
            let peak = self.by_name.get(*name).copied().unwrap_or(0);
            if *n_objects > peak {
                self.by_name.insert((*name).to_owned(), *n_objects);
                grown.push(PeakGrowth {
                    name: (*name).to_owned(),
                    n_objects: *n_objects,
                    delta: n_objects - peak,
                });
            }
        }
        if self.by_name.len() > MAX_TYPES {
            let present: HashSet<&str> = by_name.iter().map(|(name, _)| *name).collect();
            self.by_name
                .retain(|name, _| present.contains(name.as_str()));
        }
        grown.sort_by_key(|growth| std::cmp::Reverse(growth.delta));
        grown
    }
}

/// As `objgraph.typestats()`: in the order of first sight.
fn count_by_name(look: &Look, counts: impl Fn(&str) -> bool) -> Vec<(&str, u64)> {
    let mut types: Vec<_> = look
        .types
        .iter()
        .filter(|of_type| of_type.n_objects > of_type.n_frozen && counts(&of_type.type_key))
        .collect();
    types.sort_by_key(|of_type| of_type.first_seen);
    let mut index_by_name = HashMap::new();
    let mut by_name: Vec<(&str, u64)> = Vec::new();
    for of_type in types {
        let n_objects = of_type.n_objects - of_type.n_frozen;
        let index = *index_by_name
            .entry(of_type.name.as_str())
            .or_insert(by_name.len());
        match by_name.get_mut(index) {
            Some((_, sum)) => *sum = sum.saturating_add(n_objects),
            None => by_name.push((&of_type.name, n_objects)),
        }
    }
    by_name
}

#[cfg(test)]
mod tests;
