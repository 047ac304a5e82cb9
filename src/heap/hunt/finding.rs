//! What a hunt says: the places that grow, with rates, sizes and reasons.

use rustc_hash::FxHashSet;

use super::growing::{Growing, GrowthOf, growing_places};
use super::history::PlaceHistory;
use super::inside::{Inside, inside};
use super::limits::limit_numbers;
use super::name::{PlaceName, name_places};
use super::places::{Places, Way, WayId};
use super::shares::{Share, leak_shares};
use super::trend::{Course, Trend, trend};
use crate::inspect::{Fingerprint, Inspections, Verdict, fingerprint, suspect_stretch};
use crate::snapshot::{LabelName, ObjId, ObjectState, Snapshot};

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
    /// What of the program is in the newest of what it holds, where that is of Python's own types.
    pub inside: Option<Inside>,
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
    /// See [`PlaceName::owner_type`].
    pub owner_type: String,
    /// The module that the path goes through, where it goes through one.
    pub module: Option<ObjId>,
    /// At each look so many objects, references or bytes, as [`Finding::of`] has it; empty where they
    /// are not known.
    pub values: Vec<u64>,
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
    /// The same wherever the same leak is seen.
    pub fingerprint: Fingerprint,
    /// Whether it is known and accepted.
    pub is_accepted: bool,
    /// Numbers by which its owner may say how much it takes at most: `int` objects under names as `maxsize`.
    pub limits: Vec<ObjId>,
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
    /// How many it will take at most, where it is made so.
    pub bound: Option<u64>,
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
/// Each of them may be there with some types of what it holds.
const MOST_TYPES: usize = 4;

/// Judges the places of the last snapshot by what they were at all looks. What `inspections` say is
/// in reasons and fingerprints.
pub fn judge(
    snapshot: &Snapshot,
    places: &Places,
    history: &PlaceHistory,
    inspections: &Inspections,
) -> PlaceFindings {
    let (growing, unclear) = growing_places(snapshot, places, history);
    let judge = Judge {
        snapshot,
        places,
        history,
        inspections,
    };
    let (bounded, growing): (Vec<Growing>, Vec<Growing>) = growing.into_iter().partition(|one| {
        let most = judge.bound(one.ways[0]);
        // What holds more is not what has the bound.
        most.is_some_and(|most| one.values.last().is_some_and(|&last| last <= most))
    });
    let names = name_places(snapshot, places, &growing);
    let mut findings: Vec<Finding> = leak_shares(snapshot, places, &growing)
        .iter()
        .filter_map(|share| judge.finding(&growing, &names, share))
        .collect();
    findings.sort_by(|one, other| {
        let rank = |finding: &Finding| finding.bytes_rate.per_second;
        is_of_weak_references(one)
            .cmp(&is_of_weak_references(other))
            .then(rank(other).total_cmp(&rank(one)))
    });
    let unclear = unclear.into_iter().map(|unclear| Growing {
        of: GrowthOf::Objects,
        ways: vec![unclear.way],
        values: unclear.values,
        trend: unclear.trend,
        bytes: Vec::new(),
    });
    // One that is full grows no more.
    let has_room = |one: &Growing| {
        let most = judge.bound(one.ways[0]);
        most.is_none_or(|most| one.values.last().is_some_and(|&last| last < most))
    };
    // What a place holds of several types is one line.
    let some: Vec<Growing> = bounded
        .into_iter()
        .chain(unclear)
        .filter(has_room)
        .take(MOST_UNCLEAR * MOST_TYPES)
        .collect();
    let mut seen = FxHashSet::default();
    let unclear = some
        .iter()
        .zip(name_places(snapshot, places, &some))
        .filter_map(|(one, name)| {
            Some(UnclearPlace {
                place: name?.place,
                held: judge.held(judge.places.way(one.ways[0])),
                slows: one.trend.course == Course::Slows,
                bound: judge.bound(one.ways[0]),
            })
        })
        .filter(|one| seen.insert(one.place.clone()))
        .take(MOST_UNCLEAR)
        .collect();
    PlaceFindings { findings, unclear }
}

impl PlaceFindings {
    /// Puts those aside that still have room, where the limit of a finding is known.
    pub fn set_aside(&mut self, limit: impl Fn(&Finding) -> Option<u64>) {
        let findings = std::mem::take(&mut self.findings);
        for finding in findings {
            let held = finding.holds.first();
            match (limit(&finding), held) {
                (Some(most), Some(held)) if held.n_last <= most => {
                    self.unclear.push(UnclearPlace {
                        place: finding.place.clone(),
                        held: held.clone(),
                        slows: false,
                        bound: Some(most),
                    });
                }
                _ => self.findings.push(finding),
            }
        }
    }
}

/// Types made in C that have lists without a name, and how long these get at most. A connection of
/// `sqlite3` has weak references to its cursors and statements, and looks which are dead when it made 200
/// more; its cache keeps 128 statements.
const LISTS_IN_C: [(&str, u64); 1] = [("sqlite3.Connection", 329)];

struct Judge<'a> {
    snapshot: &'a Snapshot,
    places: &'a Places,
    history: &'a PlaceHistory,
    inspections: &'a Inspections,
}

impl Judge<'_> {
    /// How many objects the container that a way starts at takes at most.
    fn bound(&self, way: WayId) -> Option<u64> {
        let paths = self.places.paths();
        let holder = paths.parent(self.places.way(way).first)?;
        // The entries of an `lru_cache` are in a `dict` of its own; what it gave as a result has no bound.
        let is_dict = self.snapshot.type_of(holder).key() == "dict";
        let cache = paths.parent(holder).filter(|&parent| {
            is_dict && self.snapshot.type_of(parent).name == "_lru_cache_wrapper"
        });
        let holders = [Some(holder), cache].into_iter().flatten();
        let mut bounds = holders.filter_map(|holder| match self.snapshot.state_of(holder)? {
            ObjectState::Bounded(most) => Some(most),
            _ => None,
        });
        bounds.next().or_else(|| self.bound_in_c(holder))
    }

    /// The same of a list that C keeps for itself.
    fn bound_in_c(&self, holder: ObjId) -> Option<u64> {
        let owner = self.places.paths().parent(holder)?;
        let is_named = |object| {
            let mut references = self.snapshot.references_of(object);
            references.any(|(label, target)| {
                target == holder && matches!(label.name(), LabelName::Attribute(_))
            })
        };
        let of_type = self.snapshot.type_of(owner);
        let (_, most) = LISTS_IN_C.iter().find(|(key, _)| of_type.key() == *key)?;
        let is_list = self.snapshot.type_of(holder).key() == "list";
        (is_list && !is_named(owner)).then_some(*most)
    }

    /// What most of the newest objects are that should be gone.
    fn should_be_gone(&self, examples: &[ObjId]) -> Option<&str> {
        let mut reasons = examples
            .iter()
            .filter_map(|&object| self.inspections.of(object))
            .filter(|inspection| inspection.verdict == Verdict::Leaking);
        let first = reasons.next()?;
        let n_more = reasons.filter(|one| one.reason == first.reason).count();
        ((n_more + 1) * 2 > examples.len()).then_some(&*first.reason)
    }

    fn fingerprint(&self, name: &PlaceName) -> Fingerprint {
        let mut stretch = suspect_stretch(&name.path, self.inspections);
        if stretch.is_empty() {
            stretch = 0..name.path.steps.len();
        }
        fingerprint(self.snapshot, &name.path, stretch)
    }

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
        let inside = match one.of {
            GrowthOf::Objects => inside(self.snapshot, self.places, &name.examples),
            GrowthOf::References | GrowthOf::Bytes => None,
        };
        let package = match &inside {
            Some(inside) if name.is_stdlib => &inside.package,
            _ => &name.package,
        };
        Some(Finding {
            kind: FindingKind::Place,
            place: name.place.clone(),
            also,
            holder_type: self.snapshot.type_of(name.holder).key(),
            of: one.of,
            holds: self.all_held(&one.ways),
            rate,
            bytes_rate: self.bytes_rate(one, share),
            share_bytes: share.share_bytes,
            exclusive_bytes: share.exclusive_bytes,
            exclusive_objects: share.exclusive_objects,
            path: name.expression.clone(),
            package: package.clone(),
            inside,
            owner_type: name.owner_type.clone(),
            module: name.path.module(),
            values: one.values.clone(),
            n_rises: one.trend.n_rises,
            n_intervals: one.trend.n_intervals,
            examples: match one.of {
                GrowthOf::Objects => name.examples.clone(),
                GrowthOf::References | GrowthOf::Bytes => Vec::new(),
            },
            made_at: Vec::new(),
            why: match self.should_be_gone(&name.examples) {
                Some(reason) => format!("{}; these should be gone: {reason}", why(one)),
                None => why(one),
            },
            fingerprint: self.fingerprint(name),
            is_accepted: false,
            limits: limit_numbers(self.snapshot, &name.path, name.holder),
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

    fn all_held(&self, ways: &[WayId]) -> Vec<Held> {
        let ways = self.places.of_different_keys(ways);
        ways.map(|way| self.held(way)).collect()
    }

    fn held(&self, way: &Way) -> Held {
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

impl Finding {
    /// One that has no place in the heap, and knows its rate alone.
    pub fn beside_places(kind: FindingKind, place: String, trend: &Trend, why: &str) -> Self {
        let (n_rises, n_intervals) = (trend.n_rises, trend.n_intervals);
        let why = match why {
            "" => String::new(),
            why => format!("; {why}"),
        };
        Self {
            kind,
            fingerprint: Fingerprint::of_labels(&[format!("{kind:?}"), place.clone()]),
            place,
            also: Vec::new(),
            holder_type: String::new(),
            of: GrowthOf::Objects,
            holds: Vec::new(),
            inside: None,
            rate: Rate::of(trend),
            bytes_rate: Rate::default(),
            share_bytes: 0,
            exclusive_bytes: 0,
            exclusive_objects: 0,
            path: String::new(),
            package: String::new(),
            owner_type: String::new(),
            module: None,
            values: Vec::new(),
            n_rises,
            n_intervals,
            examples: Vec::new(),
            made_at: Vec::new(),
            why: format!("grew in {n_rises} of {n_intervals} intervals{why}"),
            is_accepted: false,
            limits: Vec::new(),
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

/// Whether weak references are what grows: where their objects live, something else keeps these, and is
/// the cause.
fn is_of_weak_references(finding: &Finding) -> bool {
    finding.holds.first().is_some_and(|held| {
        matches!(
            &*held.type_key,
            "weakref.ReferenceType" | "weakref.KeyedRef" | "weakref.WeakMethod"
        )
    })
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

#[cfg(test)]
mod tests;
