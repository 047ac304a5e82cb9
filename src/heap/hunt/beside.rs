//! What no place of the heap explains: garbage, objects that native code holds, threads, descriptors.

use super::finding::{Finding, FindingKind, Held, Rate};
use crate::collector::why_not_collected;
use crate::garbage::{CycleGroup, GarbageGrowth, GarbageLook, garbage_growth};
use crate::inventory::{GroupGrowth, Inventory, KernelView, descriptor_growth, thread_growth};
use crate::native::{Mapped, NativeGrowth, NativeLook, NativeOwner, native_growth, native_owner};
use crate::paths::{is_stdlib, package};
use crate::reach::Reached;
use crate::snapshot::{Capture, Snapshot};

/// What was seen beside places, at each look. Some kB a look: counts by kind.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    garbage: Vec<(f64, GarbageLook)>,
    native: Vec<(f64, NativeLook)>,
    inventory: Vec<(f64, Inventory)>,
}

/// What that comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BesideFindings {
    /// Leaks, by kind, the fastest of each first.
    pub findings: Vec<Finding>,
    /// Growth that is none, for people.
    pub notes: Vec<String>,
}

impl Beside {
    /// Adds a look, made so many seconds after any fixed moment. `O(V + E)`.
    pub fn observe(&mut self, snapshot: &Snapshot, kernel: &KernelView, seconds: f64) {
        let garbage = GarbageLook::of(snapshot, &Reached::from_roots(snapshot));
        self.garbage.push((seconds, garbage));
        self.native.push((seconds, NativeLook::of(snapshot)));
        self.inventory
            .push((seconds, Inventory::of(snapshot, kernel)));
    }

    /// What grew. `capture` is the last look's, `mapped` the files in the target's memory.
    pub fn findings(&self, capture: &Capture, mapped: &[Mapped]) -> BesideFindings {
        let mut told = BesideFindings::default();
        if let Some((_, last)) = self.garbage.last() {
            let why = why_not_collected(capture, last).join("; ");
            for growth in garbage_growth(&self.garbage, capture) {
                match growth.will_be_freed {
                    true => told.notes.push(format!(
                        "garbage grows, and the collector will free it in time: {}: {why}",
                        name_of(&growth.group)
                    )),
                    false => told.findings.push(self.garbage_finding(growth, &why)),
                }
            }
        }
        let threads = thread_growth(&self.inventory);
        let threads_per_second: f64 = threads.iter().map(|one| one.trend.per_second).sum();
        for growth in native_growth(&self.native) {
            // The state of a thread holds what it starts with and what tells of its end.
            let is_of_threads = is_own(&growth)
                && growth.objects.per_second <= threads_per_second * HELD_BY_A_THREAD;
            if !is_of_threads {
                told.findings.push(self.native_finding(&growth, mapped));
            }
        }
        told.findings.extend(
            threads
                .into_iter()
                .map(|growth| group_finding(growth, FindingKind::Threads)),
        );
        let descriptors = descriptor_growth(&self.inventory);
        told.findings.extend(
            descriptors
                .into_iter()
                .map(|growth| group_finding(growth, FindingKind::Descriptors)),
        );
        told
    }

    fn garbage_finding(&self, growth: GarbageGrowth, why: &str) -> Finding {
        let GarbageGrowth { group, .. } = &growth;
        let first = self.garbage.first();
        let first = first.and_then(|(_, look)| look.groups.iter().find(|one| one.is_like(group)));
        let is_builtin = |key: &&String| !key.contains('.');
        let of_program = group.types.iter().find(|key| !is_builtin(key));
        let held = of_program.or(group.types.first());
        Finding {
            package: group.package.clone(),
            holds: held.map_or_else(Vec::new, |type_key| {
                vec![Held {
                    type_key: type_key.clone(),
                    is_key: false,
                    n_first: first.map_or(0, |one| one.n_cycles),
                    n_last: group.n_cycles,
                }]
            }),
            path: group.cycle.clone(),
            bytes_rate: self.bytes_rate(growth.bytes_delta),
            share_bytes: group.held_bytes,
            exclusive_bytes: group.held_bytes,
            exclusive_objects: group.n_held,
            ..Finding::beside_places(
                FindingKind::Garbage,
                format!("garbage: {}", name_of(group)),
                &growth.objects,
                why,
            )
        }
    }

    fn native_finding(&self, growth: &NativeGrowth, mapped: &[Mapped]) -> Finding {
        let held = &growth.held;
        let key = held.of_type.key();
        let first = self.native.first();
        let first =
            first.and_then(|(_, look)| look.types.iter().find(|row| row.of_type.key() == key));
        let own = Held {
            type_key: key.clone(),
            is_key: false,
            n_first: first.map_or(0, |row| row.n_alone),
            n_last: held.n_alone,
        };
        // What the program knows says more than `method`.
        let known = held.refer_to.iter().max_by_key(|&(_, n_objects)| n_objects);
        let known = known.map(|(type_key, &n_last)| Held {
            type_key: type_key.clone(),
            is_key: false,
            n_first: first.map_or(0, |row| row.refer_to.get(type_key).copied().unwrap_or(0)),
            n_last,
        });
        let what = match &known {
            Some(known) => format!("{key} of {}", known.type_key),
            None => key,
        };
        Finding {
            package: match &known {
                Some(known) => package(&known.type_key).to_owned(),
                None => package(&held.of_type.module).to_owned(),
            },
            holds: known.into_iter().chain([own]).collect(),
            bytes_rate: self.bytes_rate(growth.bytes_delta),
            share_bytes: held.alone_bytes,
            exclusive_bytes: held.alone_bytes,
            exclusive_objects: held.n_alone,
            ..Finding::beside_places(
                FindingKind::NativeReferences,
                format!("references held outside Python: {what}"),
                &growth.objects,
                &owner_text(&native_owner(&held.of_type, mapped)),
            )
        }
    }

    fn bytes_rate(&self, bytes_delta: i64) -> Rate {
        let (Some((first, _)), Some((last, _))) = (self.garbage.first(), self.garbage.last())
        else {
            return Rate::default();
        };
        let per_second = bytes_delta as f64 / (last - first).max(f64::MIN_POSITIVE);
        Rate {
            per_second,
            low: per_second,
            high: per_second,
        }
    }
}

impl BesideFindings {
    /// Puts these in front of what places have to say, and leaves out places that but show that threads
    /// become more: their frames, and where `threading` keeps them. The most bytes a second first, but
    /// threads and descriptors, of which there is a limit, before all; descriptors behind a place that
    /// grows as they do, as what owns them is there.
    pub fn merge_into(self, findings: &mut Vec<Finding>) {
        let fastest_place = findings
            .iter()
            .map(|one| one.rate.per_second)
            .fold(0.0, f64::max);
        let is_limited = |one: &Finding| match one.kind {
            FindingKind::Threads => true,
            FindingKind::Descriptors => fastest_place * SAME_RATE < one.rate.per_second,
            _ => false,
        };
        let threads = self
            .findings
            .iter()
            .filter(|one| one.kind == FindingKind::Threads);
        let per_second: f64 = threads.map(|one| one.rate.per_second).sum();
        findings.retain(|one| {
            let is_of_threads = one.holder_type == RUNNING_FRAME
                || ["threading._active", "threading._dangling"]
                    .iter()
                    .any(|registry| one.place.starts_with(registry));
            let is_of_all = is_of_threads && one.kind == FindingKind::Place;
            !is_of_all || one.rate.per_second > per_second * SAME_RATE
        });
        findings.extend(self.findings);
        findings.sort_by(|one, other| {
            is_limited(other).cmp(&is_limited(one)).then_with(|| {
                other
                    .bytes_rate
                    .per_second
                    .total_cmp(&one.bytes_rate.per_second)
            })
        });
    }
}

/// What the agent calls the type of frames that run.
const RUNNING_FRAME: &str = "running frame";
/// So many objects of one of Python's own types may a thread's state and its calls in C hold; two bound
/// methods in 3.8.
const HELD_BY_A_THREAD: f64 = 3.0;
/// So much faster may a place grow by the same threads, as looks see it.
const SAME_RATE: f64 = 1.25;

fn name_of(group: &CycleGroup) -> String {
    match &*group.made_by {
        "" => format!("cycles of {}", group.types.join(", ")),
        made_by => format!("cycles made by {made_by}"),
    }
}

/// Whether the type is Python's own.
fn is_own(growth: &NativeGrowth) -> bool {
    let module = &growth.held.of_type.module;
    module.is_empty() || is_stdlib(module)
}

fn owner_text(owner: &NativeOwner) -> String {
    match owner {
        NativeOwner::Extension { path } => {
            format!("nothing in Python refers to them; their type is of the extension {path}")
        }
        NativeOwner::Unknown { loaded } if loaded.is_empty() => {
            "nothing in Python refers to them; who does is not known".into()
        }
        NativeOwner::Unknown { loaded } => format!(
            "nothing in Python refers to them; who does is not known; loaded extensions: {}",
            loaded.join(", ")
        ),
    }
}

fn group_finding(growth: GroupGrowth, kind: FindingKind) -> Finding {
    let why = match (&growth.owner_type, kind) {
        (_, FindingKind::Threads) => "they start and do not end".into(),
        (Some(owner), _) => format!("objects of type {owner} become more with them"),
        (None, _) => "no objects that own such become more with them: os.open() and the like, \
                      or native code"
            .into(),
    };
    Finding {
        package: growth.group.package.clone(),
        ..Finding::beside_places(kind, growth.group.name.clone(), &growth.trend, &why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunt::trend::trend;

    fn finding(kind: FindingKind, per_second: f64) -> Finding {
        let seconds = [0.0, 1.0, 2.0, 3.0];
        let trend = trend(&seconds, &seconds.map(|at| at * per_second));
        Finding::beside_places(kind, format!("{kind:?}"), &trend, "")
    }

    fn merged(beside: Vec<Finding>, places: Vec<Finding>) -> Vec<FindingKind> {
        let mut findings = places;
        let beside = BesideFindings {
            findings: beside,
            notes: Vec::new(),
        };
        beside.merge_into(&mut findings);
        findings.iter().map(|one| one.kind).collect()
    }

    #[test]
    fn descriptors_come_behind_the_place_that_grows_with_them_and_before_others() {
        use FindingKind::{Descriptors, Place, Threads};
        let sockets = || vec![finding(Descriptors, 10.0)];
        let with = |kind, per_second| {
            let mut place = finding(kind, per_second);
            place.bytes_rate.per_second = 1.0;
            merged(sockets(), vec![place])
        };
        assert_eq!(with(Place, 10.0), [Place, Descriptors]);
        assert_eq!(with(Place, 1.0), [Descriptors, Place]);
        let of_threads = merged(vec![finding(Threads, 10.0)], vec![finding(Place, 10.0)]);
        assert_eq!(of_threads, [Threads, Place]);
    }
}
