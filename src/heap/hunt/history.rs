//! What each place was like at each look.

use rustc_hash::{FxHashMap, FxHashSet};

use super::places::{Places, Way};

/// A place at one look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Measure {
    /// See [`Way::n_objects`].
    pub n_objects: u32,
    /// See [`Way::n_references`].
    pub n_references: u64,
    /// See [`Way::own_bytes`].
    pub own_bytes: u64,
    /// See [`Way::total_bytes`].
    pub total_bytes: u64,
}

/// What each place was like at each look. Ways of one key, as to objects of several classes of one name,
/// are one. About 70 bytes for a place that never changed, 32 more for each look at one that did.
#[derive(Debug, Default)]
pub struct PlaceHistory {
    /// When each look was, in seconds.
    seconds: Vec<f64>,
    /// By [`Way::holder_key`] the keys of all places at the last look.
    by_holder: FxHashMap<u64, u64>,
    /// Places that were the same at all looks, by [`Way::key`].
    steady: FxHashMap<u64, Measure>,
    /// All others, with one measure a look.
    changed: FxHashMap<u64, Vec<Measure>>,
}

impl Measure {
    fn add(&mut self, way: &Way) {
        self.n_objects += way.n_objects;
        self.n_references += way.n_references;
        self.own_bytes += way.own_bytes;
        self.total_bytes += way.total_bytes;
    }
}

impl PlaceHistory {
    /// Adds a look, made so many seconds after any fixed moment. A place that has a new name while what
    /// holds it had another one at the look before, which nothing has now, keeps the key of that: now the
    /// frame of a request leads there, and now there is none.
    pub fn observe(&mut self, places: &mut Places, seconds: f64) {
        let named: FxHashSet<u64> = places.ways().map(|(_, way)| way.key).collect();
        let before = std::mem::take(&mut self.by_holder);
        for way in places.ways_mut() {
            let is_known =
                self.steady.contains_key(&way.key) || self.changed.contains_key(&way.key);
            let kept = before
                .get(&way.holder_key)
                .filter(|kept| !is_known && !named.contains(kept));
            way.key = kept.copied().unwrap_or(way.key);
            self.by_holder.insert(way.holder_key, way.key);
        }
        let n_before = self.seconds.len();
        self.seconds.push(seconds);
        let mut now: FxHashMap<u64, Measure> = FxHashMap::default();
        for (_, way) in places.ways() {
            now.entry(way.key).or_default().add(way);
        }
        for (_, way) in places.ways() {
            let Some(measure) = now.remove(&way.key) else {
                continue;
            };
            if n_before == 0 {
                self.steady.insert(way.key, measure);
            } else if let Some(measures) = self.changed.get_mut(&way.key) {
                measures.push(measure);
            } else {
                let before = self.steady.get(&way.key).copied();
                if before != Some(measure) {
                    self.steady.remove(&way.key);
                    let mut measures = vec![before.unwrap_or_default(); n_before];
                    measures.push(measure);
                    self.changed.insert(way.key, measures);
                }
            }
        }
        // Places that are no more.
        self.changed
            .values_mut()
            .for_each(|measures| measures.resize(n_before + 1, Measure::default()));
    }

    /// When the looks were, in seconds.
    pub fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// Number of looks.
    pub fn n_looks(&self) -> usize {
        self.seconds.len()
    }

    /// A place at each look; `None` if it never changed.
    pub fn of(&self, way: &Way) -> Option<&[Measure]> {
        self.changed.get(&way.key).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
