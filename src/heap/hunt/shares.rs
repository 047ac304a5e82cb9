//! What fixing a place gives back.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::growing::{Growing, GrowthOf};
use super::places::Places;
use crate::reach::{held_from_outside, static_types};
use crate::snapshot::{LabelName, ObjId, Snapshot};

/// So many places are told apart.
pub(super) const MOST_PLACES: usize = 32;

/// What one growing place, or several that hold the same, keep alive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// The places, by their index, the first first.
    pub places: Vec<usize>,
    /// Bytes of what it holds and nothing else but growing places does; of what several hold the part
    /// that falls to it (as in Shark).
    pub share_bytes: u64,
    /// Bytes that are held by it alone: what fixing it frees at least.
    pub exclusive_bytes: u64,
    /// Objects that are held by it alone.
    pub exclusive_objects: u64,
}

/// The shares of the first 32 growing places. Those that hold for the most part the same
/// objects are put together. `O(k (V + E))`, 5 bytes an object.
pub fn leak_shares(snapshot: &Snapshot, places: &Places, growing: &[Growing]) -> Vec<Share> {
    let growing = &growing[..growing.len().min(MOST_PLACES)];
    let cuts = Cuts::of(snapshot, places, growing);
    let mut reached = vec![0_u32; snapshot.n_objects()];
    let outside = {
        let mut outside = vec![false; snapshot.n_objects()];
        let roots = snapshot.roots.iter().filter(|root| !root.is_interned());
        let roots = roots.map(|root| root.object);
        let roots = roots
            .chain(static_types(snapshot))
            .chain(held_from_outside(snapshot));
        let mut search = Search {
            snapshot,
            places,
            stack: Vec::new(),
        };
        for root in roots {
            search.spread(
                root,
                |object| !std::mem::replace(&mut outside[object.0 as usize], true),
                &cuts,
            );
        }
        outside
    };
    let nothing = Cuts::default();
    for index in 0..growing.len() {
        let bit = 1 << index;
        let mut search = Search {
            snapshot,
            places,
            stack: Vec::new(),
        };
        for &object in cuts.starts.get(index).into_iter().flatten() {
            search.spread(
                object,
                |object| {
                    let bits = &mut reached[object.0 as usize];
                    !outside[object.0 as usize] && std::mem::replace(bits, *bits | bit) & bit == 0
                },
                &nothing,
            );
        }
    }
    let mut by_mask: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for object in snapshot
        .ids()
        .filter(|object| reached[object.0 as usize] != 0)
    {
        let sums = by_mask.entry(reached[object.0 as usize]).or_default();
        sums.0 += 1;
        sums.1 += snapshot.objects.size_bytes[object.0 as usize];
    }
    let groups = groups(growing, &by_mask);
    groups
        .into_iter()
        .map(|places| share(places, &by_mask))
        .collect()
}

/// References that are cut to see what is alive without them.
#[derive(Default)]
struct Cuts {
    /// Collections whose entries are cut.
    collections: FxHashMap<ObjId, usize>,
    /// Objects that nothing refers to.
    objects: FxHashMap<ObjId, usize>,
    /// What was referred to, by place.
    starts: Vec<Vec<ObjId>>,
}

impl Cuts {
    fn of(snapshot: &Snapshot, places: &Places, growing: &[Growing]) -> Self {
        let mut cuts = Self {
            starts: vec![Vec::new(); growing.len()],
            ..Self::default()
        };
        let mut place_of = FxHashMap::default();
        for (index, one) in growing.iter().enumerate() {
            for &way in &one.ways {
                place_of.insert(way, index);
            }
        }
        for object in snapshot.ids() {
            let Some(&index) = places.way_of(object).and_then(|way| place_of.get(&way)) else {
                continue;
            };
            let one = &growing[index];
            let holder = match one.of {
                GrowthOf::Objects => places.paths().parent(object),
                GrowthOf::References | GrowthOf::Bytes => None,
            };
            let label = places.paths().label_to(snapshot, object);
            let is_entry = label.is_some_and(|label| is_entry_label(label.name()));
            match holder.filter(|_| is_entry) {
                Some(holder) => {
                    cuts.collections.insert(holder, index);
                }
                None => {
                    cuts.objects.insert(object, index);
                    cuts.starts[index].push(object);
                }
            }
        }
        let mut collections: Vec<_> = cuts.collections.iter().collect();
        collections.sort_unstable();
        for (&collection, &index) in collections {
            let entries = snapshot
                .references_of(collection)
                .filter(|(label, _)| is_entry_label(label.name()));
            cuts.starts[index].extend(entries.map(|(_, target)| target));
        }
        cuts
    }
}

/// Whether something is one of the entries of a collection, not an attribute.
fn is_entry_label(label: LabelName) -> bool {
    matches!(
        label,
        LabelName::Item(_) | LabelName::Member(_) | LabelName::Key(_) | LabelName::Value(_)
    )
}

struct Search<'a> {
    snapshot: &'a Snapshot,
    places: &'a Places,
    stack: Vec<ObjId>,
}

impl Search<'_> {
    /// Goes over all that an object leads to, as far as `enter` lets it and nothing is cut.
    fn spread(&mut self, from: ObjId, mut enter: impl FnMut(ObjId) -> bool, cuts: &Cuts) {
        if enter(from) {
            self.stack.push(from);
        }
        while let Some(object) = self.stack.pop() {
            if self.places.paths().is_weak(self.snapshot, object) {
                continue;
            }
            let is_cut = cuts.collections.contains_key(&object);
            for (label, target) in self.snapshot.references_of(object) {
                if is_cut && is_entry_label(label.name()) || cuts.objects.contains_key(&target) {
                    continue;
                }
                if enter(target) {
                    self.stack.push(target);
                }
            }
        }
    }
}

/// Places that hold for the most part the same, and grow alike, are one.
fn groups(growing: &[Growing], by_mask: &BTreeMap<u32, (u64, u64)>) -> Vec<Vec<usize>> {
    let common = |bits: u32| -> u64 {
        let with_all = by_mask.iter().filter(|(mask, _)| **mask & bits == bits);
        with_all.map(|(_, (n_objects, _))| *n_objects).sum()
    };
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, one) in growing.iter().enumerate() {
        let of_one = common(1 << index);
        let with = groups.iter_mut().find(|group| {
            let first = group[0];
            let smaller = of_one.min(common(1 << first));
            smaller > 0
                && common(1 << first | 1 << index) * 2 > smaller
                && grow_alike(&growing[first], one)
        });
        match with {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}

/// Whether what two places gain between looks is in a fixed ratio: a correlation above 0.99.
fn grow_alike(one: &Growing, other: &Growing) -> bool {
    let gains = |growing: &Growing| -> Vec<f64> {
        let pairs = growing.values.windows(2);
        pairs.map(|pair| pair[1] as f64 - pair[0] as f64).collect()
    };
    let (one, other) = (gains(one), gains(other));
    let n = one.len() as f64;
    let mean = |gains: &[f64]| gains.iter().sum::<f64>() / n;
    let (mean_one, mean_other) = (mean(&one), mean(&other));
    let products = |a: &[f64], mean_a: f64, b: &[f64], mean_b: f64| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (a - mean_a) * (b - mean_b)).sum()
    };
    let own =
        products(&one, mean_one, &one, mean_one) * products(&other, mean_other, &other, mean_other);
    if own == 0.0 {
        // Both as even as can be.
        return one
            .iter()
            .zip(&other)
            .all(|(a, b)| a * mean_other == b * mean_one);
    }
    products(&one, mean_one, &other, mean_other) / own.sqrt() > 0.99
}

fn share(places: Vec<usize>, by_mask: &BTreeMap<u32, (u64, u64)>) -> Share {
    let own: u32 = places.iter().map(|&index| 1 << index).sum();
    let mut share = Share {
        places,
        ..Share::default()
    };
    let mut parts = 0.0;
    for (&mask, &(n_objects, bytes)) in by_mask {
        if mask & own == 0 {
            continue;
        }
        parts += bytes as f64 * f64::from((mask & own).count_ones()) / f64::from(mask.count_ones());
        if mask & !own == 0 {
            share.exclusive_bytes += bytes;
            share.exclusive_objects += n_objects;
        }
    }
    share.share_bytes = parts as u64;
    share
}

#[cfg(test)]
mod tests;
