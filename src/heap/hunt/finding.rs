//! What a hunt says: the places that grow, with rates, sizes and reasons.

use super::growing::{Growing, GrowthOf, growing_places};
use super::history::PlaceHistory;
use super::name::{PlaceName, name_places};
use super::places::{Places, WayId};
use super::shares::{Share, leak_shares};
use super::trend::{Course, Trend, trend};
use crate::snapshot::{LabelName, ObjId, Snapshot};

/// What leaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FindingKind {
    /// A place of the heap that grows.
    Place,
    /// Objects that nothing refers to and that are not collected.
    Garbage,
    /// References that native code holds.
    NativeReferences,
    /// Memory beside Python's objects.
    NativeMemory,
    /// Memory that was given back and cannot be used.
    Fragmentation,
    /// Threads that do not end.
    Threads,
    /// Descriptors that are not closed.
    Descriptors,
}

/// How fast, in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// The best guess.
    pub per_second: f64,
    /// Its 95 % interval.
    pub low: f64,
    /// See [`Rate::low`].
    pub high: f64,
}

/// Objects of a type that a place holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// `module.qualname`.
    pub type_key: String,
    /// Whether they are keys of a `dict`.
    pub is_key: bool,
    /// How many at the first look.
    pub n_first: u64,
    /// How many at the last.
    pub n_last: u64,
}

/// One leak.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// `shop.cache.RENDER_CACHE`; for people.
    pub place: String,
    /// Other places that hold the same objects.
    pub also: Vec<String>,
    /// The type of what is at the place; empty where it is no object.
    pub holder_type: String,
    /// What there is more and more of.
    pub of: GrowthOf,
    /// What it holds, what names the growth first.
    pub holds: Vec<Held>,
    /// Objects, or references, a second.
    pub rate: Rate,
    /// Bytes a second, with all that falls to them.
    pub bytes_rate: Rate,
    /// See [`Share::share_bytes`].
    pub share_bytes: u64,
    /// See [`Share::exclusive_bytes`].
    pub exclusive_bytes: u64,
    /// See [`Share::exclusive_objects`].
    pub exclusive_objects: u64,
    /// `sys.modules['shop.cache'].RENDER_CACHE[*]`; empty where there is none.
    pub path: String,
    /// The top-level package that the place belongs to; empty where it is not known.
    pub package: String,
    /// In how many intervals it grew, of how many.
    pub n_rises: usize,
    /// See [`Finding::n_rises`].
    pub n_intervals: usize,
    /// Some of its newest objects, in the last snapshot.
    pub examples: Vec<ObjId>,
    /// `file:line` of where they were made, the newest frame first; empty where it is not known.
    pub made_at: Vec<String>,
    /// Why it is a leak.
    pub why: String,
}

/// A place that may grow.
#[derive(Clone, Debug, PartialEq)]
pub struct UnclearPlace {
    /// As [`Finding::place`].
    pub place: String,
    /// What it holds.
    pub held: Held,
    /// Whether growth slows down.
    pub slows: bool,
}

/// What places have to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaceFindings {
    /// Leaks, the most bytes a second first.
    pub findings: Vec<Finding>,
    /// What looking longer may show, the most objects a second first.
    pub unclear: Vec<UnclearPlace>,
}

/// So many places that may grow are named.
const MOST_UNCLEAR: usize = 5;

/// Judges the places of the last snapshot by what they were at all looks.
pub fn judge(snapshot: &Snapshot, places: &Places, history: &PlaceHistory) -> PlaceFindings {
    let (growing, unclear) = growing_places(snapshot, places, history);
    let names = name_places(snapshot, places, &growing);
    let judge = Judge {
        snapshot,
        places,
        history,
    };
    let mut findings: Vec<Finding> = leak_shares(snapshot, places, &growing)
        .iter()
        .filter_map(|share| judge.finding(&growing, &names, share))
        .collect();
    findings.sort_by(|one, other| {
        let rank = |finding: &Finding| finding.bytes_rate.per_second;
        rank(other).total_cmp(&rank(one))
    });
    let few: Vec<Growing> = unclear
        .into_iter()
        .take(MOST_UNCLEAR)
        .map(|unclear| Growing {
            of: GrowthOf::Objects,
            ways: vec![unclear.way],
            values: unclear.values,
            trend: unclear.trend,
            bytes: Vec::new(),
        })
        .collect();
    let unclear = few
        .iter()
        .zip(name_places(snapshot, places, &few))
        .filter_map(|(one, name)| {
            Some(UnclearPlace {
                place: name?.place,
                held: judge.held(one.ways[0]),
                slows: one.trend.course == Course::Slows,
            })
        })
        .collect();
    PlaceFindings { findings, unclear }
}

struct Judge<'a> {
    snapshot: &'a Snapshot,
    places: &'a Places,
    history: &'a PlaceHistory,
}

impl Judge<'_> {
    fn finding(
        &self,
        growing: &[Growing],
        names: &[Option<PlaceName>],
        share: &Share,
    ) -> Option<Finding> {
        // One that holds the others' objects for the program stands for them.
        let mut with_name: Vec<(usize, &PlaceName)> = share
            .places
            .iter()
            .filter_map(|&index| Some((index, names[index].as_ref()?)))
            .collect();
        with_name.sort_by_key(|(index, name)| (name.is_stdlib, *index));
        let &(index, name) = with_name.first()?;
        let one = &growing[index];
        let mut also: Vec<String> = with_name[1..]
            .iter()
            .map(|(_, name)| name.place.clone())
            .filter(|place| *place != name.place)
            .collect();
        also.dedup();
        let rate = Rate::of(&one.trend);
        Some(Finding {
            kind: FindingKind::Place,
            place: name.place.clone(),
            also,
            holder_type: self.snapshot.type_of(name.holder).key(),
            of: one.of,
            holds: one.ways.iter().map(|&way| self.held(way)).collect(),
            rate,
            bytes_rate: self.bytes_rate(one, share),
            share_bytes: share.share_bytes,
            exclusive_bytes: share.exclusive_bytes,
            exclusive_objects: share.exclusive_objects,
            path: name.expression.clone(),
            package: name.package.clone(),
            n_rises: one.trend.n_rises,
            n_intervals: one.trend.n_intervals,
            examples: match one.of {
                GrowthOf::Objects => name.examples.clone(),
                GrowthOf::References | GrowthOf::Bytes => Vec::new(),
            },
            made_at: Vec::new(),
            why: why(one),
        })
    }

    /// What falls to an object, times objects a second; where objects do not grow in number, their bytes.
    fn bytes_rate(&self, growing: &Growing, share: &Share) -> Rate {
        let n_objects = growing.values.last().copied().unwrap_or(0).max(1);
        if growing.of == GrowthOf::Objects && share.share_bytes > 0 {
            let each = share.share_bytes as f64 / n_objects as f64;
            return Rate::of(&growing.trend).times(each);
        }
        let bytes: Vec<f64> = growing.bytes.iter().map(|&bytes| bytes as f64).collect();
        Rate::of(&trend(self.history.seconds(), &bytes))
    }

    fn held(&self, way: WayId) -> Held {
        let way = self.places.way(way);
        let measures = self.history.of(way).unwrap_or_default();
        let n_objects = |at: Option<&super::history::Measure>| {
            at.map_or(u64::from(way.n_objects), |at| u64::from(at.n_objects))
        };
        Held {
            type_key: self.snapshot.types[way.type_id.0 as usize].key(),
            is_key: matches!(way.label.name(), LabelName::Key(_)),
            n_first: n_objects(measures.first()),
            n_last: n_objects(measures.last()),
        }
    }
}

impl Rate {
    /// The slope of a trend.
    pub fn of(trend: &Trend) -> Self {
        Self {
            per_second: trend.per_second,
            low: trend.low,
            high: trend.high,
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            per_second: self.per_second * factor,
            low: self.low * factor,
            high: self.high * factor,
        }
    }
}

/// `grew in 5 of 5 intervals; nothing was ever removed`.
fn why(growing: &Growing) -> String {
    let Trend {
        n_rises,
        n_intervals,
        ..
    } = growing.trend;
    let never_falls = growing.values.windows(2).all(|pair| pair[0] <= pair[1]);
    let removed = match (growing.of, never_falls) {
        (GrowthOf::Objects, true) => "; never fewer than at the look before",
        (GrowthOf::Objects, false) => "; some were removed, but fewer than were added",
        (GrowthOf::References, _) => {
            "; it refers more and more often to objects that are there anyway"
        }
        (GrowthOf::Bytes, _) => "; the object itself is larger and larger",
    };
    format!("grew in {n_rises} of {n_intervals} intervals{removed}")
}
