//! Which types grow from look to look.

use std::collections::{BTreeMap, VecDeque};

use crate::look::Look;

/// How many counts of a type are remembered.
pub const HISTORY_LEN: usize = 24;

/// What is remembered of the looks so far.
///
/// Memory: one entry for each type of the first look, and one for each type that had objects within
/// the last [`HISTORY_LEN`] looks.
#[derive(Clone, Debug, Default)]
pub struct Growth {
    n_looks: u64,
    first: Option<Sums>,
    last: Option<Sums>,
    baseline: BTreeMap<String, (u64, u64)>,
    tracks: BTreeMap<String, Track>,
}

#[derive(Clone, Copy, Debug)]
struct Sums {
    time_us: i64,
    n_objects: u64,
    size_bytes: u64,
}

#[derive(Clone, Debug, Default)]
struct Track {
    n_objects: u64,
    size_bytes: u64,
    counts: VecDeque<u64>,
    /// In how many looks without a break the count rose.
    n_rises: u64,
}

/// What changed with one look.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// 1 is the baseline.
    pub look: u64,
    /// Time since the look before; `None` at the baseline and when the clock was set back.
    pub elapsed_us: Option<u64>,
    /// Objects of all types.
    pub n_objects: u64,
    /// Change of that since the look before; 0 at the baseline.
    pub objects_delta: i64,
    /// Bytes of all objects.
    pub size_bytes: u64,
    /// Change of that since the look before; 0 at the baseline.
    pub bytes_delta: i64,
    /// As in the look.
    pub n_garbage: Option<u64>,
    /// All types of this look and those that vanished with it, ascending by key.
    pub rows: Vec<TypeGrowth>,
}

/// One type in a [`Step`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypeGrowth {
    /// `module.qualname`; the builtins without a module.
    pub type_key: String,
    /// `__name__`; empty for a type that vanished.
    pub name: String,
    /// How many objects.
    pub n_objects: u64,
    /// Change since the look before; 0 at the baseline.
    pub delta: i64,
    /// The same for a minute; `None` where the time between the looks is not known.
    pub per_minute: Option<f64>,
    /// Bytes of the objects.
    pub size_bytes: u64,
    /// Change since the look before; 0 at the baseline.
    pub bytes_delta: i64,
    /// Objects that `gc.freeze()` hid.
    pub n_frozen: u64,
    /// Objects that nothing reaches; `None` where it is not known.
    pub n_garbage: Option<u64>,
    /// Bytes of those.
    pub garbage_bytes: u64,
    /// Whether some of the bytes are an estimate.
    pub is_estimate: bool,
    /// Place of the first object in the order of `gc.get_objects()`; 0 for a type that vanished.
    pub first_seen: u64,
    /// Whether the count rose at every look since the baseline, at least at two, or at each of the
    /// last [`HISTORY_LEN`].
    pub grew_at_every_look: bool,
    /// The last counts, this look's last; at most [`HISTORY_LEN`].
    pub history: Vec<u64>,
}

/// What changed between the first look and the last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// How many looks there were.
    pub n_looks: u64,
    /// Time from the first to the last; `None` when the clock was set back.
    pub elapsed_us: Option<u64>,
    /// Objects at the last look.
    pub n_objects: u64,
    /// Their change.
    pub objects_delta: i64,
    /// Bytes at the last look.
    pub size_bytes: u64,
    /// Their change.
    pub bytes_delta: i64,
    /// Types with more objects than at first, the most first.
    pub grown: Vec<SummaryRow>,
}

/// One type in a [`Summary`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SummaryRow {
    /// `module.qualname`; the builtins without a module.
    pub type_key: String,
    /// Objects at the last look.
    pub n_objects: u64,
    /// How many more than at the first.
    pub delta: i64,
    /// The same for a minute.
    pub per_minute: Option<f64>,
    /// How many bytes more than at the first.
    pub bytes_delta: i64,
}

impl Growth {
    /// Takes in a look made at `time_us` (microseconds, any epoch) and tells what changed.
    pub fn observe(&mut self, look: &Look, time_us: i64) -> Step {
        self.n_looks += 1;
        let sums = Sums {
            time_us,
            n_objects: look.n_objects,
            size_bytes: look.size_bytes,
        };
        let before = self.last.replace(sums);
        let elapsed_us = before.and_then(|before| elapsed_us(before.time_us, time_us));
        if self.first.is_none() {
            self.first = Some(sums);
            for of_type in &look.types {
                self.baseline.insert(
                    of_type.type_key.clone(),
                    (of_type.n_objects, of_type.size_bytes),
                );
            }
        }
        let is_baseline = before.is_none();
        let mut rows = Vec::with_capacity(look.types.len());
        for of_type in &look.types {
            let track = self.tracks.entry(of_type.type_key.clone()).or_default();
            let (delta, bytes_delta) =
                track.push(of_type.n_objects, of_type.size_bytes, is_baseline);
            rows.push(TypeGrowth {
                type_key: of_type.type_key.clone(),
                name: of_type.name.clone(),
                n_objects: of_type.n_objects,
                delta,
                per_minute: per_minute(delta, elapsed_us),
                size_bytes: of_type.size_bytes,
                bytes_delta,
                n_frozen: of_type.n_frozen,
                n_garbage: of_type.n_garbage,
                garbage_bytes: of_type.garbage_bytes,
                is_estimate: of_type.is_estimate,
                first_seen: of_type.first_seen,
                grew_at_every_look: track.grew_at_every_look(self.n_looks),
                history: track.counts.iter().copied().collect(),
            });
        }
        self.add_absent(&mut rows, look, elapsed_us);
        Step {
            look: self.n_looks,
            elapsed_us,
            n_objects: look.n_objects,
            objects_delta: before.map_or(0, |b| difference(look.n_objects, b.n_objects)),
            size_bytes: look.size_bytes,
            bytes_delta: before.map_or(0, |b| difference(look.size_bytes, b.size_bytes)),
            n_garbage: look.n_garbage,
            rows,
        }
    }

    /// Rows for the types that had objects at the look before and have none now. Forgets those
    /// whose whole history is 0.
    fn add_absent(&mut self, rows: &mut Vec<TypeGrowth>, look: &Look, elapsed_us: Option<u64>) {
        let n_present = rows.len();
        for (key, track) in &mut self.tracks {
            let is_present = look
                .types
                .binary_search_by(|of_type| of_type.type_key.as_str().cmp(key))
                .is_ok();
            if is_present {
                continue;
            }
            let (delta, bytes_delta) = track.push(0, 0, false);
            if delta != 0 || bytes_delta != 0 {
                rows.push(TypeGrowth {
                    type_key: key.clone(),
                    delta,
                    per_minute: per_minute(delta, elapsed_us),
                    bytes_delta,
                    n_garbage: look.n_garbage.map(|_| 0),
                    history: track.counts.iter().copied().collect(),
                    ..TypeGrowth::default()
                });
            }
        }
        self.tracks
            .retain(|_, track| track.counts.iter().any(|&count| count > 0));
        if rows.len() > n_present {
            rows.sort_by(|a, b| a.type_key.cmp(&b.type_key));
        }
    }

    /// How many looks were taken in.
    pub fn n_looks(&self) -> u64 {
        self.n_looks
    }

    /// Objects of the last look; `None` before the first.
    pub fn last_n_objects(&self) -> Option<u64> {
        self.last.map(|sums| sums.n_objects)
    }

    /// What changed since the first look; `None` before the second.
    pub fn summary(&self) -> Option<Summary> {
        let (first, last) = (self.first?, self.last?);
        if self.n_looks < 2 {
            return None;
        }
        let elapsed_us = elapsed_us(first.time_us, last.time_us);
        let mut grown: Vec<SummaryRow> = self
            .tracks
            .iter()
            .filter_map(|(key, track)| {
                let (n_objects, size_bytes) = self.baseline.get(key).copied().unwrap_or_default();
                let delta = difference(track.n_objects, n_objects);
                (delta > 0).then(|| SummaryRow {
                    type_key: key.clone(),
                    n_objects: track.n_objects,
                    delta,
                    per_minute: per_minute(delta, elapsed_us),
                    bytes_delta: difference(track.size_bytes, size_bytes),
                })
            })
            .collect();
        grown.sort_by_key(|row| std::cmp::Reverse(row.delta));
        Some(Summary {
            n_looks: self.n_looks,
            elapsed_us,
            n_objects: last.n_objects,
            objects_delta: difference(last.n_objects, first.n_objects),
            size_bytes: last.size_bytes,
            bytes_delta: difference(last.size_bytes, first.size_bytes),
            grown,
        })
    }
}

impl Track {
    /// The changes of count and bytes.
    fn push(&mut self, n_objects: u64, size_bytes: u64, is_baseline: bool) -> (i64, i64) {
        let delta = difference(n_objects, self.n_objects);
        let bytes_delta = difference(size_bytes, self.size_bytes);
        self.n_objects = n_objects;
        self.size_bytes = size_bytes;
        if self.counts.len() == HISTORY_LEN {
            self.counts.pop_front();
        }
        self.counts.push_back(n_objects);
        if is_baseline {
            return (0, 0);
        }
        self.n_rises = if delta > 0 { self.n_rises + 1 } else { 0 };
        (delta, bytes_delta)
    }

    fn grew_at_every_look(&self, n_looks: u64) -> bool {
        let n_needed = (n_looks - 1).min(HISTORY_LEN as u64);
        n_needed >= 2 && self.n_rises >= n_needed
    }
}

fn difference(now: u64, before: u64) -> i64 {
    let size = i64::try_from(now.abs_diff(before)).unwrap_or(i64::MAX);
    if now < before { -size } else { size }
}

fn elapsed_us(from_us: i64, to_us: i64) -> Option<u64> {
    let elapsed = to_us.checked_sub(from_us)?;
    u64::try_from(elapsed).ok().filter(|&elapsed| elapsed > 0)
}

fn per_minute(delta: i64, elapsed_us: Option<u64>) -> Option<f64> {
    elapsed_us.map(|elapsed| delta as f64 * 60e6 / elapsed as f64)
}

#[cfg(test)]
mod tests;
