//! Threads and descriptors of a process, in groups, and which groups grow.

mod descriptors;
mod destination;
mod threads;

use std::collections::BTreeMap;

use crate::hunt::rise;
use crate::hunt::trend::Trend;
use crate::snapshot::Snapshot;
pub use destination::Destination;

/// What there is at one look, by group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// Ascending by name.
    pub threads: Vec<Group>,
    /// Ascending by name.
    pub descriptors: Vec<Group>,
    /// Objects that own a descriptor, by `kind` of [`Group`] and type.
    owners: BTreeMap<(&'static str, String), u64>,
}

/// Threads or descriptors of a kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Group {
    /// `threads of worker() in shop.jobs`, `sockets`, `files /var/log/shop-#.log`.
    pub name: String,
    /// The top-level package of what the threads run; empty where it is not known.
    pub package: String,
    /// How many.
    pub n: u64,
    /// What kind of descriptor; empty for threads.
    kind: &'static str,
}

/// What the kernel tells of a process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KernelView {
    /// Of each thread its id and name, as `/proc/PID/task` has them.
    pub threads: Vec<(u64, String)>,
    /// What each descriptor leads to, as the links in `/proc/PID/fd` say.
    pub descriptors: Vec<String>,
}

/// A group that grows.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupGrowth {
    /// At the last look.
    pub group: Group,
    /// How many there are.
    pub trend: Trend,
    /// Of descriptors: the type of objects that own them and grow at least half as fast; `None` where
    /// there is none, as for what `os.open` gives.
    pub owner_type: Option<String>,
}

impl Inventory {
    /// Groups what there is.
    pub fn of(snapshot: &Snapshot, kernel: &KernelView) -> Self {
        Self {
            threads: threads::groups(snapshot, &kernel.threads),
            descriptors: descriptors::groups(&kernel.descriptors),
            owners: descriptors::owners(snapshot),
        }
    }
}

/// How many of each name there are, ascending.
fn grouped(all: impl Iterator<Item = Group>) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for one in all {
        groups
            .entry(one.name.clone())
            .or_insert(Group {
                n: 0,
                ..one.clone()
            })
            .n += one.n;
    }
    groups.into_values().collect()
}

/// Groups of threads that grow, given as seconds and what was seen; the fastest first.
pub fn thread_growth(looks: &[(f64, Inventory)]) -> Vec<GroupGrowth> {
    growth(looks, |look| &look.threads)
}

/// Groups of descriptors that grow, given as seconds and what was seen; the fastest first.
pub fn descriptor_growth(looks: &[(f64, Inventory)]) -> Vec<GroupGrowth> {
    let mut growth = growth(looks, |look| &look.descriptors);
    for one in &mut growth {
        one.owner_type = owner_type(looks, one);
    }
    growth
}

fn growth(looks: &[(f64, Inventory)], groups: impl Fn(&Inventory) -> &[Group]) -> Vec<GroupGrowth> {
    let Some((_, last)) = looks.last() else {
        return Vec::new();
    };
    let mut growth: Vec<GroupGrowth> = groups(last)
        .iter()
        .filter_map(|group| {
            let count = |look: &Inventory| {
                let same = groups(look).iter().find(|one| one.name == group.name);
                same.map_or(0, |one| one.n)
            };
            Some(GroupGrowth {
                group: group.clone(),
                trend: rise_of(looks, count)?,
                owner_type: None,
            })
        })
        .collect();
    growth.sort_by(|a, b| b.trend.per_second.total_cmp(&a.trend.per_second));
    growth
}

fn rise_of(looks: &[(f64, Inventory)], count: impl Fn(&Inventory) -> u64) -> Option<Trend> {
    let seconds: Vec<f64> = looks.iter().map(|(seconds, _)| *seconds).collect();
    let counts: Vec<u64> = looks.iter().map(|(_, look)| count(look)).collect();
    rise(&seconds, &counts)
}

fn owner_type(looks: &[(f64, Inventory)], growth: &GroupGrowth) -> Option<String> {
    let (_, last) = looks.last()?;
    let of_kind = last
        .owners
        .keys()
        .filter(|(kind, _)| *kind == growth.group.kind);
    let fastest = of_kind
        .filter_map(|owner| {
            let trend = rise_of(looks, |look| look.owners.get(owner).copied().unwrap_or(0))?;
            Some((trend.per_second, &owner.1))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let (per_second, type_key) = fastest?;
    (per_second >= growth.trend.per_second / 2.0).then(|| type_key.clone())
}

#[cfg(test)]
mod tests;
