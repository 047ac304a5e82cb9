//! Which places grow, and which of them is the cause.

use std::collections::{BTreeMap, BTreeSet};

use leakhunt_wire::TypeFlags;
use rustc_hash::FxHashSet;

use super::history::{Measure, PlaceHistory};
use super::places::{Places, Way, WayId};
use super::trend::{Course, Trend, trend};
use crate::attributes::entries;
use crate::paths::PathRoot;
use crate::snapshot::{LabelName, ObjId, Snapshot, Type};

/// What there is more and more of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum GrowthOf {
    /// Objects that a place refers to.
    Objects,
    /// References to objects that are there anyway, as many times `None` in a list.
    References,
    /// Bytes of the object itself, as of a `bytearray`.
    Bytes,
}

/// A place that grows while what holds it does not.
#[derive(Clone, Debug)]
pub struct Growing {
    /// What grows.
    pub of: GrowthOf,
    /// Of [`GrowthOf::Objects`] the ways from the place that more and more objects are reached by, the
    /// one that names the growth first; else the way to the place.
    pub ways: Vec<WayId>,
    /// Of the first way: objects, references or bytes at each look.
    pub values: Vec<u64>,
    /// Their trend.
    pub trend: Trend,
    /// Bytes of all that was reached by the ways first, at each look.
    pub bytes: Vec<u64>,
}

/// A place that may grow.
#[derive(Clone, Debug)]
pub struct Unclear {
    /// The way.
    pub way: WayId,
    /// [`Course::Slows`] or [`Course::Unclear`].
    pub trend: Trend,
    /// Objects at each look.
    pub values: Vec<u64>,
}

/// The places that grow, the most bytes a second first, and those of which it is not clear, likewise by
/// objects.
pub fn growing_places(
    snapshot: &Snapshot,
    places: &Places,
    history: &PlaceHistory,
) -> (Vec<Growing>, Vec<Unclear>) {
    let finder = Finder {
        snapshot,
        places,
        history,
    };
    finder.find()
}

struct Finder<'a> {
    snapshot: &'a Snapshot,
    places: &'a Places,
    history: &'a PlaceHistory,
}

/// By how many bytes an object has to grow for that alone to count.
const FEWEST_BYTES: u64 = 4096;

impl Finder<'_> {
    fn find(&self) -> (Vec<Growing>, Vec<Unclear>) {
        let mut grown = BTreeMap::new();
        let mut unclear = Vec::new();
        for (id, _) in self.places.ways() {
            let Some((values, trend)) = self.trend_of(id, |at| u64::from(at.n_objects)) else {
                continue;
            };
            match trend.course {
                Course::Grows => {
                    grown.insert(id, (values, trend));
                }
                Course::Slows | Course::Unclear => unclear.push(Unclear {
                    way: id,
                    trend,
                    values,
                }),
                Course::Flat => {}
            }
        }
        let ways: BTreeSet<WayId> = grown.keys().copied().collect();
        let mut growing = self.highest(&grown, &ways);
        growing.extend(self.grown_themselves(&ways, GrowthOf::References));
        let holders: BTreeSet<WayId> = growing.iter().map(|one| one.ways[0]).collect();
        growing.extend(
            self.grown_themselves(&ways, GrowthOf::Bytes)
                .into_iter()
                .filter(|one| !holders.contains(&one.ways[0])),
        );
        unclear.retain(|one| is_noteworthy(&one.values));
        let in_doubt: BTreeSet<WayId> = unclear.iter().map(|one| one.way).collect();
        unclear.retain(|one| {
            let is_explained = |above: WayId| {
                ways.contains(&above) || holders.contains(&above) || in_doubt.contains(&above)
            };
            let place = self.places.way(one.way).from;
            let is_book = place.is_some_and(|place| self.is_book_of_living(place, &[one.way]));
            !is_book && !self.above(one.way).any(is_explained)
        });
        growing.sort_by(|one, other| {
            let slope = |growing: &Growing| self.slope(&growing.bytes);
            slope(other).total_cmp(&slope(one))
        });
        unclear.sort_by(|one, other| other.trend.per_second.total_cmp(&one.trend.per_second));
        (growing, unclear)
    }

    fn trend_of(&self, way: WayId, value: impl Fn(&Measure) -> u64) -> Option<(Vec<u64>, Trend)> {
        let measures = self.history.of(self.places.way(way))?;
        let values: Vec<u64> = measures.iter().map(value).collect();
        if values.last() <= values.first() {
            return None;
        }
        let floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
        let trend = trend(self.history.seconds(), &floats);
        Some((values, trend))
    }

    fn slope(&self, values: &[u64]) -> f64 {
        let floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
        trend(self.history.seconds(), &floats).per_second
    }

    /// The places on the way to the start of a way, from there up.
    fn above(&self, way: WayId) -> impl Iterator<Item = WayId> + '_ {
        std::iter::successors(self.places.way(way).from, |&above| {
            self.places.way(above).from
        })
    }

    /// Of the ways that grow those with no other above, by the place that they start at, without what
    /// more and more links of a chain hold, each its own.
    fn highest(
        &self,
        grown: &BTreeMap<WayId, (Vec<u64>, Trend)>,
        ways: &BTreeSet<WayId>,
    ) -> Vec<Growing> {
        let mut by_place: BTreeMap<WayId, Vec<WayId>> = BTreeMap::new();
        for &way in ways {
            // What native code holds has no place; it is told of by its surplus of references.
            let place = self.places.way(way).from;
            let is_place = || self.is_frame(way) || self.is_kept_by_interpreter(way);
            let Some(place) = place.or_else(|| is_place().then_some(way)) else {
                continue;
            };
            if !self.above(way).any(|above| ways.contains(&above)) {
                by_place.entry(place).or_default().push(way);
            }
        }
        let links: Vec<WayId> = by_place
            .values()
            .flatten()
            .copied()
            .filter(|&way| self.places.way(way).to != way)
            .collect();
        let is_of_links = |way: WayId| {
            let Way { from, to, .. } = *self.places.way(way);
            links.iter().any(|&link| {
                from == Some(self.places.way(link).to)
                    && from != Some(to)
                    && !self.above(link).any(|above| above == way)
            })
        };
        by_place.retain(|_, ways| {
            ways.retain(|&way| !is_of_links(way));
            !ways.is_empty()
        });
        by_place
            .into_iter()
            .filter(|(place, ways)| !self.is_book_of_living(*place, ways))
            .map(|(_, mut ways)| {
                ways.sort_by_key(|&way| self.rank(way));
                let (values, trend) = grown[&ways[0]].clone();
                Growing {
                    of: GrowthOf::Objects,
                    bytes: self.bytes_of(&ways, |at| at.total_bytes),
                    ways,
                    values,
                    trend,
                }
            })
            .collect()
    }

    /// Whether what grows at a place are weak references, and their keys, where Python drops the dead
    /// ones, or what a thread has of each `threading.local`: there are more and more as something else
    /// keeps what they are for.
    fn is_book_of_living(&self, place: WayId, ways: &[WayId]) -> bool {
        let place = self.places.way(place);
        let all_but_keys_are = |is_wanted: fn(&Type) -> bool| {
            ways.iter().all(|&way| {
                let way = self.places.way(way);
                let is_key = matches!(way.label.name(), LabelName::Key(_));
                is_key || is_wanted(&self.snapshot.types[way.type_id.0 as usize])
            })
        };
        let drops_the_dead =
            || self.drops_the_dead(place) || self.are_tables_of_subclasses(place, ways);
        all_but_keys_are(is_weak_reference) && drops_the_dead()
            || all_but_keys_are(is_part_of_local) && self.is_of_a_thread(place)
    }

    /// Whether a place is the `dict` of a thread's state.
    fn is_of_a_thread(&self, place: &Way) -> bool {
        let path = self.places.paths().to(self.snapshot, place.first);
        path.is_some_and(|path| matches!(path.root, PathRoot::Thread { .. }))
    }

    /// Whether what grows is in tables of the subclasses of static types, which from 3.12 on the
    /// interpreter has and no reference leads to: weak references by number, no more than there are
    /// classes. `O(V)`.
    fn are_tables_of_subclasses(&self, place: &Way, ways: &[WayId]) -> bool {
        let snapshot = self.snapshot;
        let is_of = |object, key: &str| snapshot.type_of(object).key() == key;
        let paths = self.places.paths();
        if place.from.is_some() || !is_of(place.first, "dict") {
            return false;
        }
        let is_in = |object| {
            let way = self.places.way_of(object);
            way.is_some_and(|way| ways.contains(&way))
        };
        let tables: FxHashSet<ObjId> = snapshot
            .ids()
            .filter(|&object| is_in(object))
            .filter_map(|object| paths.parent(object))
            .collect();
        let is_class = |&object: &ObjId| snapshot.type_of(object).flags & TypeFlags::TYPE != 0;
        let n_classes = snapshot.ids().filter(is_class).count();
        tables.into_iter().all(|table| {
            let root = paths.to(snapshot, table).map(|path| path.root);
            let mut entries = entries(snapshot, table);
            root == Some(PathRoot::Outside)
                && entries.all(|(key, value)| {
                    is_of(key, "int") && is_weak_reference(snapshot.type_of(value))
                })
                && self::entries(snapshot, table).count() <= n_classes
        })
    }

    /// Whether a place is the table of a container of the module `weakref`, of the subclasses of a class,
    /// or of what an abstract class knows of others.
    fn drops_the_dead(&self, place: &Way) -> bool {
        let text = |name| self.snapshot.strings.get(name);
        let owner = place.from.map(|from| self.places.way(from));
        match (place.label.name(), owner) {
            (LabelName::Attribute(name), Some(owner)) if text(name) == "data" => {
                let paths = self.places.paths();
                paths.is_weak(self.snapshot, owner.first)
            }
            (LabelName::Internal(name), _) if text(name) == "subclasses" => true,
            (_, Some(owner)) => self.snapshot.types[owner.type_id.0 as usize].name == *"_abc_data",
            _ => false,
        }
    }

    /// Whether the objects are collections, whose size has to do with how many entries they had at most:
    /// one that leaks has more and more references.
    fn has_entries(&self, way: WayId) -> bool {
        const SEQUENCES_AND_DICTS: u32 = TypeFlags::LIST | TypeFlags::TUPLE | TypeFlags::DICT;
        let type_id = self.places.way(way).type_id;
        let of_type = &self.snapshot.types[type_id.0 as usize];
        of_type.flags & SEQUENCES_AND_DICTS != 0
            || matches!(&*of_type.key(), "set" | "frozenset" | "collections.deque")
    }

    fn is_frame(&self, way: WayId) -> bool {
        let type_id = self.places.way(way).type_id;
        self.snapshot.types[type_id.0 as usize].is_frame()
    }

    /// Whether the objects are roots that the interpreter keeps under a name, as callbacks of `atexit`.
    fn is_kept_by_interpreter(&self, way: WayId) -> bool {
        let first = self.places.way(way).first;
        let path = self.places.paths().to(self.snapshot, first);
        path.is_some_and(|path| matches!(path.root, PathRoot::Interpreter { .. }))
    }

    /// The rarest type that is not builtin says most; of builtin ones the values of a collection before
    /// its keys.
    fn rank(&self, way: WayId) -> (bool, bool, u32, WayId) {
        let Way {
            type_id,
            label,
            n_objects,
            ..
        } = *self.places.way(way);
        let of_type = &self.snapshot.types[type_id.0 as usize];
        let is_builtin = of_type.flags & TypeFlags::PYTHON == 0;
        let is_key = matches!(label.name(), LabelName::Key(_));
        let n_objects = if is_builtin {
            u32::MAX - n_objects
        } else {
            n_objects
        };
        (is_builtin, is_key, n_objects, way)
    }

    fn bytes_of(&self, ways: &[WayId], value: impl Fn(&Measure) -> u64) -> Vec<u64> {
        let mut bytes = vec![0; self.history.n_looks()];
        for way in self.places.of_different_keys(ways) {
            let measures = self.history.of(way).unwrap_or_default();
            for (sum, measure) in bytes.iter_mut().zip(measures) {
                *sum += value(measure);
            }
        }
        bytes
    }

    /// Objects of which there are not more, but which grow, and neither they nor what is above them
    /// refer to more objects.
    fn grown_themselves(&self, ways: &BTreeSet<WayId>, of: GrowthOf) -> Vec<Growing> {
        let value = |at: &Measure| match of {
            GrowthOf::Bytes => at.own_bytes,
            _ => at.n_references,
        };
        let holders: BTreeSet<WayId> = ways
            .iter()
            .filter_map(|&way| self.places.way(way).from)
            .collect();
        let mut found = Vec::new();
        let mut seen = FxHashSet::default();
        for (id, way) in self.places.ways() {
            let is_explained = ways.contains(&id)
                || holders.contains(&way.to)
                || self.above(id).any(|above| ways.contains(&above));
            let is_room = of == GrowthOf::Bytes && self.has_entries(id);
            if is_explained || is_room || self.is_frame(id) {
                continue;
            }
            let Some((values, trend)) = self.trend_of(id, value) else {
                continue;
            };
            let measures = self.history.of(way).unwrap_or_default();
            let has_more = measures
                .windows(2)
                .any(|pair| pair[0].n_objects != pair[1].n_objects);
            let grown = values.last().unwrap_or(&0) - values.first().unwrap_or(&0);
            let is_enough = match of {
                GrowthOf::Bytes => {
                    grown >= FEWEST_BYTES && matches!(trend.course, Course::Grows)
                        || is_growing_buffer(&values)
                }
                _ => trend.course == Course::Grows,
            };
            if is_enough && !has_more && seen.insert(way.key) {
                found.push(Growing {
                    of,
                    bytes: self.bytes_of(&[id], |at| at.own_bytes),
                    ways: vec![id],
                    values,
                    trend,
                });
            }
        }
        found
    }
}

/// Fewer objects more are what a step of the program left to the next.
const FEWEST_MORE: u64 = 3;

/// Whether there are some objects more at the end, and not since one look alone, and in the second half
/// always more than there ever were as few of in the first: what comes and goes is as few again.
fn is_noteworthy(values: &[u64]) -> bool {
    let (first_half, second_half) = values.split_at(values.len() / 2);
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return false;
    };
    let n_rises = values.windows(2).filter(|pair| pair[0] < pair[1]).count();
    let fewest = first_half.iter().min().unwrap_or(first);
    let stays = second_half.iter().all(|value| value > fewest);
    last.saturating_sub(*first) >= FEWEST_MORE && n_rises >= 2 && stays
}

/// What a thread's state refers to for each `threading.local`, as long as that lives.
fn is_part_of_local(of_type: &Type) -> bool {
    of_type.name == *"_localdummy"
}

/// Up to 3.8 the type says nothing of its module.
fn is_weak_reference(of_type: &Type) -> bool {
    matches!(
        (&*of_type.module, &*of_type.name),
        ("", "weakref") | ("weakref", "ReferenceType" | "KeyedRef")
    )
}

/// Whether an object made room for more again and again, as lists and buffers do ahead of need: it never
/// shrank, and grew three times, also in the second half.
fn is_growing_buffer(bytes: &[u64]) -> bool {
    let never_falls = bytes.windows(2).all(|pair| pair[0] <= pair[1]);
    let n_rises = bytes.windows(2).filter(|pair| pair[0] < pair[1]).count();
    let half = bytes.len() / 2;
    let is_recent = bytes.last() > bytes.get(half);
    let grown = bytes.last().unwrap_or(&0) - bytes.first().unwrap_or(&0);
    never_falls && n_rises >= 3 && is_recent && grown >= FEWEST_BYTES
}

#[cfg(test)]
mod tests;
