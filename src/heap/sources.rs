//! Where the new objects of growing types come from: who holds them.

mod growing;
mod holders;

use std::collections::BTreeMap;

use leakhunt_wire::TypeFlags;

use crate::identity::Identity;
use crate::paths::{Holder, Path, Paths, is_stdlib};
use crate::snapshot::{ObjId, Objects, Snapshot};

pub use growing::{GrowingType, GrowingTypes};
pub use holders::{HeldObject, held};

/// Objects of a type whose paths are compared.
const SAMPLE: usize = 200;

/// What grew, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    /// Places, the one that gained the most objects first, of equals the most bytes.
    pub findings: Vec<Finding>,
    /// Types, in the order of the places that hold most of each; of one place the classes of programs
    /// first, then the type that grew most.
    pub types: Vec<TypeSources>,
}

/// A place that gained objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The place; `None` for all that no name leads to.
    pub holder: Option<Holder>,
    /// Objects that it gained, estimated from samples.
    pub n_objects_estimate: u64,
    /// Their bytes, estimated from samples.
    pub size_bytes_estimate: u64,
    /// What it gained, the most first.
    pub types: Vec<HeldType>,
}

/// What a place gained of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldType {
    /// See [`GrowingType::type_key`].
    pub type_key: String,
    /// Objects, estimated from samples.
    pub n_objects_estimate: u64,
    /// How many of the sampled objects the place holds.
    pub n_held: u64,
    /// How many objects were sampled.
    pub n_sampled: u64,
}

/// A growing type, and where its new objects are.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeSources {
    /// The type, and by how much it grew.
    pub growth: GrowingType,
    /// Objects of it that are new and alive; `None` where there is no earlier snapshot to tell.
    pub n_new: Option<u64>,
    /// Objects of it that were looked at.
    pub n_sampled: u64,
    /// Who holds them: the one that holds most first.
    pub holders: Vec<HolderShare>,
    /// Some of the newest, those of the first holder first.
    pub examples: Vec<Source>,
}

/// How much of a sample a place holds.
#[derive(Clone, Debug, PartialEq)]
pub struct HolderShare {
    /// The place; `None` where no name leads to.
    pub holder: Option<Holder>,
    /// Objects of the sample.
    pub n_held: u64,
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The object.
    pub object: ObjId,
    /// What it is, seen from the earlier snapshot.
    pub identity: Identity,
    /// How it is held.
    pub path: Path,
    /// Who holds it.
    pub holder: Option<Holder>,
}

/// Where the types of `growing` grew, with at most `max` examples of each. `identities` are those of
/// the snapshot's objects, seen from the look before; without them the newest of all objects stand
/// for the new ones. What nothing alive refers to is left out. `O(V)` and a few hundred paths a type.
pub fn sources(
    snapshot: &Snapshot,
    paths: &Paths,
    identities: Option<&[Identity]>,
    growing: &[GrowingType],
    max: usize,
) -> Sources {
    let mut types: Vec<TypeSources> = growing
        .iter()
        .zip(newest(snapshot, paths, identities, growing))
        .map(|(growth, (n_new, objects))| {
            let sample = held(snapshot, paths, &objects);
            of_type(growth, identities.is_some().then_some(n_new), sample, max)
        })
        .collect();
    for source in types.iter_mut().flat_map(|found| &mut found.examples) {
        if let Some(identities) = identities {
            source.identity = identities[source.object.0 as usize];
        }
    }
    let findings = by_place(&types);
    let rank: BTreeMap<Option<&str>, usize> = findings.iter().map(name_of).zip(0..).collect();
    types.sort_by_cached_key(|found| {
        let first = found.holders.first().and_then(|share| {
            let name = share.holder.as_ref().map(|holder| &*holder.name);
            rank.get(&name).copied()
        });
        let growth = &found.growth;
        (
            first.unwrap_or(usize::MAX),
            !growth.is_of_a_program,
            std::cmp::Reverse((growth.n_grown(), growth.bytes_grown())),
        )
    });
    Sources { findings, types }
}

fn name_of(finding: &Finding) -> Option<&str> {
    finding.holder.as_ref().map(|holder| &*holder.name)
}

/// Of each growing type how many live objects are new, and the newest of them.
fn newest(
    snapshot: &Snapshot,
    paths: &Paths,
    identities: Option<&[Identity]>,
    growing: &[GrowingType],
) -> Vec<(u64, Vec<ObjId>)> {
    let index_of_key: BTreeMap<&str, usize> = growing
        .iter()
        .map(|growth| &*growth.type_key)
        .zip(0..)
        .collect();
    let index_of_type: Vec<Option<usize>> = snapshot
        .types
        .iter()
        .map(|of_type| index_of_key.get(&*of_type.key()).copied())
        .collect();
    let mut objects = vec![Vec::new(); growing.len()];
    for object in snapshot.ids() {
        let index = object.0 as usize;
        let is_new = identities.is_none_or(|identities| identities[index] == Identity::New);
        if let Some(growing) = index_of_type[snapshot.objects.type_id[index].0 as usize]
            && is_new
            && paths.is_reached(object)
        {
            objects[growing].push(object);
        }
    }
    objects
        .into_iter()
        .map(|objects| (objects.len() as u64, sample(snapshot, objects)))
        .collect()
}

/// The youngest, the youngest first; of what has no age some from all over.
fn sample(snapshot: &Snapshot, mut objects: Vec<ObjId>) -> Vec<ObjId> {
    let place = |object: &ObjId| snapshot.objects.birth_place[object.0 as usize];
    let has_age = objects
        .iter()
        .any(|object| place(object) != Objects::UNTRACKED);
    if has_age {
        objects.retain(|object| place(object) != Objects::UNTRACKED);
        objects.sort_unstable_by_key(|object| std::cmp::Reverse(place(object)));
        objects.truncate(SAMPLE);
        return objects;
    }
    let step = objects.len().div_ceil(SAMPLE).max(1);
    objects.into_iter().step_by(step).collect()
}

fn of_type(
    growth: &GrowingType,
    n_new: Option<u64>,
    sample: Vec<HeldObject>,
    max: usize,
) -> TypeSources {
    let n_sampled = sample.len() as u64;
    let mut holders: Vec<HolderShare> = Vec::new();
    let mut places: Vec<usize> = Vec::with_capacity(sample.len());
    let mut index_by_name = BTreeMap::<Option<String>, usize>::new();
    for one in &sample {
        let name = one.holder.as_ref().map(|holder| holder.name.clone());
        let place = *index_by_name.entry(name).or_insert_with(|| {
            holders.push(HolderShare {
                holder: one.holder.clone(),
                n_held: 0,
            });
            holders.len() - 1
        });
        holders[place].n_held += 1;
        places.push(place);
    }
    let mut ranked: Vec<(usize, HeldObject)> = places.into_iter().zip(sample).collect();
    ranked.sort_by_key(|&(place, _)| (std::cmp::Reverse(holders[place].n_held), place));
    holders.sort_by_key(|share| std::cmp::Reverse(share.n_held));
    let examples = ranked
        .into_iter()
        .take(max)
        .map(|(_, one)| Source {
            object: one.object,
            identity: Identity::New,
            path: one.path,
            holder: one.holder,
        })
        .collect();
    TypeSources {
        growth: growth.clone(),
        n_new,
        n_sampled,
        holders,
        examples,
    }
}

/// What each place gained, of all types.
fn by_place(types: &[TypeSources]) -> Vec<Finding> {
    let mut by_name = BTreeMap::<Option<&str>, Finding>::new();
    for found in types {
        for share in &found.holders {
            let name = share.holder.as_ref().map(|holder| &*holder.name);
            let finding = by_name.entry(name).or_insert_with(|| Finding {
                holder: share.holder.clone(),
                n_objects_estimate: 0,
                size_bytes_estimate: 0,
                types: Vec::new(),
            });
            let part = |whole: u64| {
                let part = u128::from(whole) * u128::from(share.n_held);
                u64::try_from(part / u128::from(found.n_sampled.max(1))).unwrap_or(u64::MAX)
            };
            let n_objects_estimate = part(found.growth.n_grown());
            let size_bytes = part(found.growth.bytes_grown());
            finding.n_objects_estimate = finding
                .n_objects_estimate
                .saturating_add(n_objects_estimate);
            finding.size_bytes_estimate = finding.size_bytes_estimate.saturating_add(size_bytes);
            finding.types.push(HeldType {
                type_key: found.growth.type_key.clone(),
                n_objects_estimate,
                n_held: share.n_held,
                n_sampled: found.n_sampled,
            });
        }
    }
    let mut findings: Vec<Finding> = by_name.into_values().collect();
    for finding in &mut findings {
        finding
            .types
            .sort_by_key(|held| std::cmp::Reverse(held.n_objects_estimate));
    }
    findings.sort_by_key(|finding| {
        std::cmp::Reverse((finding.n_objects_estimate, finding.size_bytes_estimate))
    });
    findings
}

/// Whether a type is a class that a program made, not Python or C code.
fn is_of_a_program(of_type: &crate::snapshot::Type) -> bool {
    of_type.flags & TypeFlags::PYTHON != 0 && !is_stdlib(&of_type.module)
}

#[cfg(test)]
mod tests;
