//! Garbage that was not collected yet: what nothing reaches, and the cycles that keep it.
//!
//! Reference counting frees all that is in no cycle. So whatever is unreachable and still there is in
//! a cycle, or only a cycle refers to it.

mod components;
mod cycle;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use crate::functions::Functions;
use crate::hunt::rise;
use crate::hunt::trend::Trend;
use crate::paths::package;
use crate::reach::Reached;
use crate::snapshot::{Capture, ObjId, Objects, Snapshot, TypeId};
use components::Components;
use cycle::Maker;

/// Of the groups that are made of the most, how many have one cycle written out.
const MOST_WRITTEN: usize = 100;

/// The garbage of one look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GarbageLook {
    /// Objects that nothing alive refers to.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Cycles: largest sets of them in which each leads to each.
    pub n_cycles: u64,
    /// Those that `gc.freeze()` hid from the collector.
    pub n_frozen: u64,
    /// Those in the old generation.
    pub n_old: u64,
    /// Those in the other two. What the collector does not track is in none; free-threaded builds have
    /// no generations.
    pub n_young: u64,
    /// By type, the most objects first.
    pub types: Vec<GarbageType>,
    /// Cycles of a kind, those that keep the most objects first.
    pub groups: Vec<CycleGroup>,
}

/// Garbage of one type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GarbageType {
    /// `module.qualname`; the builtins without a module.
    pub type_key: String,
    /// How many objects.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
}

/// Cycles that are made of objects of the same types by the same code.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CycleGroup {
    /// The types of the objects in each, ascending by key, each once: cycles of two and of three of a
    /// kind are one group.
    pub types: Vec<String>,
    /// The function whose function object, frame, generator or coroutine is in the cycle, as
    /// `module.qualname`; else the class of an instance in it. Empty where there is neither.
    pub made_by: String,
    /// The top-level package of that; empty where it is not known.
    pub package: String,
    /// How many cycles.
    pub n_cycles: u64,
    /// The objects in them.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Those of them in the two younger generations, which the collector soon comes to.
    pub n_young: u64,
    /// Garbage that is in these cycles or hangs on them. What hangs on several is counted once, with
    /// one that no other cycle leads to where there is one.
    pub n_held: u64,
    /// The bytes of that.
    pub held_bytes: u64,
    /// The shortest way round one of them: `shop.Node.on_close → method Node.close() → shop.Node`.
    /// Empty for groups beyond the first hundred.
    pub cycle: String,
    /// The attributes, closure variables and entries on that way, in order.
    pub through: Vec<String>,
}

/// Garbage that grows.
#[derive(Clone, Debug, PartialEq)]
pub struct GarbageGrowth {
    /// The cycles, at the last look.
    pub group: CycleGroup,
    /// Objects in the cycles, those left out that the collector soon comes to.
    pub objects: Trend,
    /// Change of the bytes held from the first look to the last.
    pub bytes_delta: i64,
    /// Whether the collector runs and will free them at some time: so many of them is the price of its
    /// thresholds, not a leak.
    pub will_be_freed: bool,
}

/// A group while it is gathered.
struct Gathered {
    group: CycleGroup,
    /// A member to write the cycle from.
    start: ObjId,
}

impl Gathered {
    fn new(snapshot: &Snapshot, types: &[TypeId], maker: &Maker, start: ObjId) -> Self {
        let mut types: Vec<String> = types
            .iter()
            .map(|of_type| snapshot.types[of_type.0 as usize].key())
            .collect();
        types.sort_unstable();
        types.dedup();
        let group = CycleGroup {
            types,
            made_by: crate::look::type_key(&maker.module, &maker.name),
            package: package(&maker.module).to_owned(),
            ..CycleGroup::default()
        };
        Self { group, start }
    }
}

impl GarbageLook {
    /// What `reached` leaves out. `O(V + E)` of that, and about 40 bytes for each of its objects.
    pub fn of(snapshot: &Snapshot, reached: &Reached) -> Self {
        let components = Components::of(snapshot, reached);
        let functions = Functions::of(snapshot);
        let (first, members) = components.members();
        let members_of = |component: u32| {
            &members[first[component as usize] as usize..first[component as usize + 1] as usize]
        };
        let mut gathered: Vec<Gathered> = Vec::new();
        let mut by_kind: HashMap<(Vec<TypeId>, Maker), usize> = HashMap::new();
        let mut group_of = vec![None; components.n_components as usize];
        let mut look = Self::default();
        for component in 0..components.n_components {
            let members = members_of(component);
            if !is_cycle(snapshot, members) {
                continue;
            }
            let (maker, start) = cycle::maker(snapshot, &functions, members);
            let mut types: Vec<TypeId> = members
                .iter()
                .map(|member| snapshot.objects.type_id[member.0 as usize])
                .collect();
            types.sort_unstable();
            types.dedup();
            let index = match by_kind.entry((types, maker)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(place) => {
                    let (types, maker) = place.key();
                    gathered.push(Gathered::new(snapshot, types, maker, start));
                    *place.insert(gathered.len() - 1)
                }
            };
            group_of[component as usize] = Some(index);
            let group = &mut gathered[index].group;
            look.n_cycles += 1;
            group.n_cycles += 1;
            group.n_objects += members.len() as u64;
            group.size_bytes += bytes_of(snapshot, members);
            group.n_young += n_young(snapshot, members);
        }
        hang(snapshot, &components, &group_of, &members_of, &mut gathered);
        count_generations(snapshot, &components.objects, &mut look);
        look.types = types_of(snapshot, &components.objects);
        look.n_objects = components.objects.len() as u64;
        look.size_bytes = bytes_of(snapshot, &components.objects);
        gathered.sort_by(|a, b| order(&a.group, &b.group));
        for one in gathered.iter_mut().take(MOST_WRITTEN) {
            let way = cycle::shortest(snapshot, &components, one.start);
            let text = cycle::text(snapshot, &functions, &way);
            (one.group.cycle, one.group.through) = (text.cycle, text.through);
        }
        look.groups = gathered.into_iter().map(|one| one.group).collect();
        look
    }
}

/// The most held first.
fn order(a: &CycleGroup, b: &CycleGroup) -> std::cmp::Ordering {
    let key = |group: &CycleGroup| (group.n_held, group.held_bytes);
    key(b)
        .cmp(&key(a))
        .then_with(|| (&a.made_by, &a.types).cmp(&(&b.made_by, &b.types)))
}

/// Whether a component is more than an object that does not refer to itself.
fn is_cycle(snapshot: &Snapshot, members: &[ObjId]) -> bool {
    match members {
        &[only] => snapshot
            .references_of(only)
            .any(|(_, target)| target == only),
        _ => true,
    }
}

/// Counts with each group what its cycles lead to, from the cycles that nothing leads to downwards.
fn hang<'m>(
    snapshot: &Snapshot,
    components: &Components,
    group_of: &[Option<usize>],
    members_of: &dyn Fn(u32) -> &'m [ObjId],
    gathered: &mut [Gathered],
) {
    // What a component refers to has a lower number, so that its group is known before.
    let mut held_by: Vec<Option<usize>> = vec![None; group_of.len()];
    for component in (0..components.n_components).rev() {
        let index = component as usize;
        let members = members_of(component);
        let own = held_by[index].or(group_of[index]);
        if let Some(holder) = own {
            let group = &mut gathered[holder].group;
            group.n_held += members.len() as u64;
            group.held_bytes += bytes_of(snapshot, members);
        }
        for &member in members {
            for (_, target) in snapshot.references_of(member) {
                if let Some(target) = components.of_object(target)
                    && target != component
                {
                    let place = &mut held_by[target as usize];
                    *place = place.or(own);
                }
            }
        }
    }
}

fn count_generations(snapshot: &Snapshot, objects: &[ObjId], look: &mut GarbageLook) {
    let [old, middle, _] = snapshot.capture.generation_starts;
    for object in objects {
        match snapshot.objects.birth_place[object.0 as usize] {
            Objects::UNTRACKED => {}
            place if place < old => look.n_frozen += 1,
            place if place < middle => look.n_old += 1,
            _ => look.n_young += 1,
        }
    }
}

fn n_young(snapshot: &Snapshot, objects: &[ObjId]) -> u64 {
    let [_, middle, _] = snapshot.capture.generation_starts;
    let is_young = |object: &&ObjId| {
        let place = snapshot.objects.birth_place[object.0 as usize];
        place != Objects::UNTRACKED && place >= middle
    };
    objects.iter().filter(is_young).count() as u64
}

fn bytes_of(snapshot: &Snapshot, objects: &[ObjId]) -> u64 {
    objects
        .iter()
        .map(|object| snapshot.objects.size_bytes[object.0 as usize])
        .sum()
}

fn types_of(snapshot: &Snapshot, objects: &[ObjId]) -> Vec<GarbageType> {
    let mut types: BTreeMap<String, GarbageType> = BTreeMap::new();
    let mut counts = vec![(0_u64, 0_u64); snapshot.types.len()];
    for object in objects {
        let count = &mut counts[snapshot.objects.type_id[object.0 as usize].0 as usize];
        count.0 += 1;
        count.1 += snapshot.objects.size_bytes[object.0 as usize];
    }
    for (of_type, (n_objects, size_bytes)) in snapshot.types.iter().zip(counts) {
        if n_objects > 0 {
            let row = types.entry(of_type.key()).or_default();
            row.n_objects += n_objects;
            row.size_bytes += size_bytes;
        }
    }
    let mut types: Vec<GarbageType> = types
        .into_iter()
        .map(|(type_key, row)| GarbageType { type_key, ..row })
        .collect();
    types.sort_by_key(|row| std::cmp::Reverse(row.n_objects));
    types
}

/// Cycles of which there are more from look to look, given as seconds and what was seen; `capture` is the
/// last look's. While the collector runs, what is in the younger generations does not count: it comes and
/// goes. Free-threaded builds have no generations: there is no growth as long as their collector runs.
pub fn garbage_growth(looks: &[(f64, GarbageLook)], capture: &Capture) -> Vec<GarbageGrowth> {
    let Some((_, last)) = looks.last() else {
        return Vec::new();
    };
    let runs = capture.collector.runs();
    if runs && capture.free_threaded {
        return Vec::new();
    }
    let seconds: Vec<f64> = looks.iter().map(|(seconds, _)| *seconds).collect();
    let mut growth: Vec<GarbageGrowth> = last
        .groups
        .iter()
        .filter_map(|group| {
            let same: Vec<Option<&CycleGroup>> = looks
                .iter()
                .map(|(_, look)| look.groups.iter().find(|one| one.is_like(group)))
                .collect();
            let count = |one: &CycleGroup| match runs {
                true => one.n_objects - one.n_young,
                false => one.n_objects,
            };
            let counts: Vec<u64> = same.iter().map(|one| one.map_or(0, count)).collect();
            let first_bytes = same[0].map_or(0, |one| one.held_bytes);
            Some(GarbageGrowth {
                group: group.clone(),
                objects: rise(&seconds, &counts)?,
                bytes_delta: group.held_bytes as i64 - first_bytes as i64,
                will_be_freed: runs && last.n_frozen == 0,
            })
        })
        .collect();
    growth.sort_by(|a, b| b.objects.per_second.total_cmp(&a.objects.per_second));
    growth
}

impl CycleGroup {
    /// Whether the cycles of both are of a kind.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.made_by == other.made_by && self.types == other.types
    }
}

#[cfg(test)]
mod tests;
