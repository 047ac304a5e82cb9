//! What holds most of a heap, and where: suspects, after Eclipse MAT.
//!
//! The dominator tree has the objects that hold much alone. In Python most objects are held twice, so
//! what is left at its top is also taken by type, and the paths to it by what they have in common.

mod accumulation;
mod group;
mod growth;
#[cfg(test)]
mod tests;
mod top_level;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use leakhunt_wire::TypeFlags;

use crate::dominators::Dominators;
use crate::paths::{Holder, Path, Paths, is_stdlib};
use crate::snapshot::{ObjId, Snapshot, TypeId};
use accumulation::{Accumulated, accumulation_points};
use group::Common;
use top_level::TopLevel;

pub use growth::suspects_of_growth;

/// A suspect holds this part of the heap or more: a tenth.
const SHARE_OF_HEAP: u64 = 10;
/// Types of programs come before builtin ones where they have this part of what is held or more: a
/// tenth. The keys of a dict tell less than its values.
const SHARE_OF_HELD: u64 = 10;
/// How many types of what a suspect holds are told.
const MOST_HELD: usize = 3;

/// A snapshot with what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Analysed<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Its dominator tree.
    pub tree: &'a Dominators,
    /// Its paths.
    pub paths: &'a Paths,
}

/// What holds most of a heap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Suspects {
    /// Objects that something alive refers to.
    pub n_objects: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Of growth: the bytes of the earlier snapshot; `None` where it is of one snapshot.
    pub size_bytes_before: Option<u64>,
    /// What holds less, or grew less, is no suspect.
    pub threshold_bytes: u64,
    /// The one that holds most first, or that grew most.
    pub suspects: Vec<Suspect>,
    /// Types whose objects hold so much together, and are in no one place. Of one snapshot without
    /// classes, functions and code.
    pub spread: Vec<Held>,
}

/// A place that holds much.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspect {
    /// How it holds.
    pub shape: SuspectShape,
    /// What is at the place.
    pub object: ObjId,
    /// Its type, as [`crate::Type::key`].
    pub type_key: String,
    /// The path to it.
    pub path: Option<Path>,
    /// Who is to blame; `None` where nobody on the path has a name.
    pub holder: Option<Holder>,
    /// The steps that the paths to what it holds have in common, indices and keys masked.
    pub pattern: Option<String>,
    /// Of [`SuspectShape::Group`], how many of the objects were looked at, and how many of these are in
    /// the place.
    pub sample: Option<(u64, u64)>,
    /// How many objects are held alike and grew together, of which this is the largest; 1 but for
    /// growth.
    pub n_places: u64,
    /// Objects that would be freed.
    pub n_objects: u64,
    /// The bytes of the suspected objects alone.
    pub shallow_bytes: u64,
    /// The bytes that would be freed.
    pub retained_bytes: u64,
    /// The same in the earlier snapshot; `None` where it is of one snapshot.
    pub retained_bytes_before: Option<u64>,
    /// What it holds, by type: those of programs first, then the most bytes; of growth what it holds
    /// more than before.
    pub holds: Vec<Held>,
}

/// How a suspect holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SuspectShape {
    /// One object dominates it all: without it, all would be freed.
    Object,
    /// Objects that something else refers to as well: most of their paths go through the place.
    Group,
    /// A chain, and this is where it starts.
    Chain,
}

/// Objects of a type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// As [`crate::Type::key`].
    pub type_key: String,
    /// How many.
    pub n_objects: u64,
    /// What they retain together.
    pub retained_bytes: u64,
}

/// What holds a tenth of a snapshot or more. `O(V)` and at most 10,000 paths a type.
pub fn suspects(heap: Analysed<'_>) -> Suspects {
    let Analysed {
        snapshot,
        tree,
        paths,
    } = heap;
    let threshold_bytes = (tree.total_bytes() / SHARE_OF_HEAP).max(1);
    let mut found = Suspects {
        n_objects: n_objects(snapshot, tree),
        size_bytes: tree.total_bytes(),
        threshold_bytes,
        ..Suspects::default()
    };
    let top_level = TopLevel::of(snapshot, tree);
    let mut rest = BTreeMap::<TypeId, u64>::new();
    for object in top_level.objects(tree) {
        let retained_bytes = tree.retained_bytes(object);
        if retained_bytes >= threshold_bytes {
            let points = accumulation_points(snapshot, tree, object, threshold_bytes);
            let points = points.into_iter();
            found
                .suspects
                .extend(points.map(|point| of_object(snapshot, tree, paths, point)));
        } else {
            *rest.entry(type_id(snapshot, object)).or_default() += retained_bytes;
        }
    }
    rest.retain(|_, retained_bytes| *retained_bytes >= threshold_bytes);
    let mut members: BTreeMap<TypeId, Vec<ObjId>> = BTreeMap::new();
    for object in top_level.objects(tree) {
        let of_type = type_id(snapshot, object);
        if rest.contains_key(&of_type) && tree.retained_bytes(object) < threshold_bytes {
            members.entry(of_type).or_default().push(object);
        }
    }
    for members in members.into_values() {
        match group::common(snapshot, paths, &top_level, &members) {
            Some(common) => {
                let suspect = of_group(snapshot, tree, paths, &common, &members);
                found.suspects.push(suspect);
            }
            None if members.iter().all(|&object| is_code(snapshot, object)) => {}
            None => found.spread.push(held(snapshot, tree, &members)),
        }
    }
    found.finish();
    found
}

impl Suspects {
    /// Puts what is in one place together, and all in order.
    fn finish(&mut self) {
        let mut index_of = HashMap::<ObjId, usize>::new();
        let mut merged: Vec<Suspect> = Vec::new();
        for suspect in std::mem::take(&mut self.suspects) {
            match index_of.get(&suspect.object) {
                Some(&index) => merged[index].add(suspect),
                None => {
                    index_of.insert(suspect.object, merged.len());
                    merged.push(suspect);
                }
            }
        }
        for suspect in &mut merged {
            sort(&mut suspect.holds);
        }
        merged.sort_by_key(|suspect| (Reverse(suspect.weight()), suspect.object));
        sort(&mut self.spread);
        self.suspects = merged;
    }
}

impl Suspect {
    /// What it is ranked by.
    fn weight(&self) -> u64 {
        let before = self.retained_bytes_before.unwrap_or(0);
        self.retained_bytes.saturating_sub(before)
    }

    /// Adds what else the place holds.
    fn add(&mut self, other: Self) {
        if other.weight() > self.weight() {
            (self.shape, self.pattern, self.sample) = (other.shape, other.pattern, other.sample);
        }
        self.n_objects += other.n_objects;
        self.shallow_bytes += other.shallow_bytes;
        self.retained_bytes += other.retained_bytes;
        if let (Some(before), Some(more)) =
            (&mut self.retained_bytes_before, other.retained_bytes_before)
        {
            *before += more;
        }
        self.holds.extend(other.holds);
    }
}

/// The suspect that one object is.
fn of_object(snapshot: &Snapshot, tree: &Dominators, paths: &Paths, point: Accumulated) -> Suspect {
    let object = point.object;
    let mut holds = match point.is_chain {
        true => vec![accumulation::links(snapshot, tree, object)],
        false => by_type(snapshot, tree, tree.children(object)),
    };
    sort(&mut holds);
    let (path, holder) = place(snapshot, paths, object);
    Suspect {
        shape: match point.is_chain {
            true => SuspectShape::Chain,
            false => SuspectShape::Object,
        },
        object,
        type_key: snapshot.type_of(object).key(),
        path,
        holder,
        pattern: None,
        sample: None,
        n_places: 1,
        n_objects: tree.n_retained(object).into(),
        shallow_bytes: snapshot.objects.size_bytes[object.0 as usize],
        retained_bytes: tree.retained_bytes(object),
        retained_bytes_before: None,
        holds,
    }
}

/// The suspect that objects are which have a place in common.
fn of_group(
    snapshot: &Snapshot,
    tree: &Dominators,
    paths: &Paths,
    common: &Common,
    members: &[ObjId],
) -> Suspect {
    let (path, holder) = place(snapshot, paths, common.object);
    let held = held(snapshot, tree, members);
    let size = |object: &ObjId| snapshot.objects.size_bytes[object.0 as usize];
    Suspect {
        shape: SuspectShape::Group,
        object: common.object,
        type_key: snapshot.type_of(common.object).key(),
        path,
        holder,
        pattern: Some(common.pattern.clone()),
        sample: Some((common.n_sampled, common.n_through)),
        n_places: 1,
        n_objects: members
            .iter()
            .map(|&object| u64::from(tree.n_retained(object)))
            .sum(),
        shallow_bytes: members.iter().map(size).sum(),
        retained_bytes: held.retained_bytes,
        retained_bytes_before: None,
        holds: vec![held],
    }
}

fn place(snapshot: &Snapshot, paths: &Paths, object: ObjId) -> (Option<Path>, Option<Holder>) {
    let path = paths.to(snapshot, object);
    let holder = path.as_ref().and_then(|path| {
        let last = path.steps.len().checked_sub(1)?;
        paths.holder_at(snapshot, path, last)
    });
    (path, holder)
}

/// Objects of one type, of which there is one at least.
fn held(snapshot: &Snapshot, tree: &Dominators, objects: &[ObjId]) -> Held {
    let retained = objects.iter().map(|&object| tree.retained_bytes(object));
    Held {
        type_key: objects
            .first()
            .map_or_else(String::new, |&object| snapshot.type_of(object).key()),
        n_objects: objects.len() as u64,
        retained_bytes: retained.sum(),
    }
}

fn by_type(
    snapshot: &Snapshot,
    tree: &Dominators,
    objects: impl Iterator<Item = ObjId>,
) -> Vec<Held> {
    let mut sums = BTreeMap::<TypeId, (u64, u64)>::new();
    for object in objects {
        let (n_objects, retained_bytes) = sums.entry(type_id(snapshot, object)).or_default();
        *n_objects += 1;
        *retained_bytes += tree.retained_bytes(object);
    }
    let held = |(of_type, (n_objects, retained_bytes)): (TypeId, (u64, u64))| Held {
        type_key: snapshot.types[of_type.0 as usize].key(),
        n_objects,
        retained_bytes,
    };
    sums.into_iter().map(held).collect()
}

/// Puts types with the same name together, those of programs that hold enough and then the most bytes
/// first, and leaves the least out.
fn sort(held: &mut Vec<Held>) {
    let mut by_name = BTreeMap::<String, Held>::new();
    for one in std::mem::take(held) {
        let sum = by_name.entry(one.type_key.clone()).or_insert_with(|| Held {
            type_key: one.type_key,
            ..Held::default()
        });
        sum.n_objects += one.n_objects;
        sum.retained_bytes += one.retained_bytes;
    }
    held.extend(by_name.into_values());
    let total: u64 = held.iter().map(|one| one.retained_bytes).sum();
    held.sort_by_key(|one| {
        let tells_more = is_of_a_program(&one.type_key)
            && one.retained_bytes.saturating_mul(SHARE_OF_HELD) >= total;
        Reverse((tells_more, one.retained_bytes, one.n_objects))
    });
    held.truncate(MOST_HELD);
}

/// Whether an object is what a program consists of, which is spread over its modules: a class, a
/// function, code.
fn is_code(snapshot: &Snapshot, object: ObjId) -> bool {
    let of_type = snapshot.type_of(object);
    of_type.flags & TypeFlags::TYPE != 0
        || of_type.module.is_empty() && matches!(&*of_type.qualname, "function" | "code")
}

/// Whether a type is neither builtin nor of the standard library.
fn is_of_a_program(type_key: &str) -> bool {
    type_key.contains('.') && !is_stdlib(type_key)
}

fn type_id(snapshot: &Snapshot, object: ObjId) -> TypeId {
    snapshot.objects.type_id[object.0 as usize]
}

/// Those of the tree, without running frames.
fn n_objects(snapshot: &Snapshot, tree: &Dominators) -> u64 {
    let objects = tree.in_order();
    let objects = objects.filter(|&(object, _)| !snapshot.type_of(object).is_frame());
    objects.count() as u64
}
