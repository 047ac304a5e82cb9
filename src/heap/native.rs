//! References that are held outside of Python's objects: a missing `Py_DECREF`, or a cache in C.
//!
//! An object whose reference count is larger than the references that were found is held by something
//! that is no Python object. Most such objects are held by Python, too, as classes and constants of
//! extensions are; what counts here are those that nothing else keeps alive. Objects that the collector
//! does not track (`bytes`, `str`, numbers) are not found at all when native code alone refers to them.

mod owner;

use std::collections::{BTreeMap, BTreeSet};

use leakhunt_wire::TypeFlags;

use crate::hunt::rise;
use crate::hunt::trend::Trend;
use crate::object_set::ObjectSet;
use crate::reach::static_types;
use crate::snapshot::{ObjId, Objects, Snapshot, Type};

pub use owner::{Mapped, NativeOwner, native_owner};

/// What native code holds at one look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeLook {
    /// Whether reference counts say anything: not on free-threaded builds, which do not count all.
    pub is_known: bool,
    /// By type, ascending by key.
    pub types: Vec<NativeType>,
}

/// Objects of one type that native code refers to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeType {
    /// The type; of several of one name the first.
    pub of_type: Type,
    /// Objects with references from outside.
    pub n_objects: u64,
    /// Those references.
    pub n_references: u64,
    /// The objects of these that nothing else keeps alive.
    pub n_alone: u64,
    /// Bytes of those and of what they alone keep alive. What several do counts with one of them.
    pub alone_bytes: u64,
    /// Of builtin types, what those refer to that is of classes made by Python code, by type: whose
    /// methods they are, what is in a list.
    pub refer_to: BTreeMap<String, u64>,
}

/// Objects of a type that native code keeps alive, and that become more.
#[derive(Clone, Debug, PartialEq)]
pub struct NativeGrowth {
    /// At the last look.
    pub held: NativeType,
    /// Of [`NativeType::n_alone`].
    pub objects: Trend,
    /// Change of [`NativeType::alone_bytes`] from the first look to the last.
    pub bytes_delta: i64,
}

impl NativeLook {
    /// Counts. `O(V + E)`, 5 bytes an object for a moment.
    pub fn of(snapshot: &Snapshot) -> Self {
        if snapshot.capture.free_threaded {
            return Self::default();
        }
        let surplus = surplus(snapshot);
        let mut reached = reached_without_natives(snapshot);
        let mut types: BTreeMap<String, NativeType> = BTreeMap::new();
        for object in snapshot.ids() {
            let n_references = surplus[object.0 as usize];
            if n_references == 0 {
                continue;
            }
            let of_type = snapshot.type_of(object);
            let row = types.entry(of_type.key()).or_insert_with(|| NativeType {
                of_type: of_type.clone(),
                ..NativeType::default()
            });
            row.n_objects += 1;
            row.n_references += u64::from(n_references);
        }
        // What one of them leads to is not held by native code alone for that; whether it is held from
        // outside, too, cannot be told from one that only the first keeps alive.
        let alone: BTreeSet<ObjId> = snapshot
            .ids()
            .filter(|&object| surplus[object.0 as usize] > 0 && !reached.contains(object))
            .collect();
        for &object in &alone {
            if let Some(row) = types.get_mut(&snapshot.type_of(object).key()) {
                row.n_alone += 1;
                if row.of_type.flags & TypeFlags::PYTHON == 0 {
                    for key in instances_of(snapshot, object) {
                        *row.refer_to.entry(key).or_default() += 1;
                    }
                }
                row.alone_bytes += spread(snapshot, &mut reached, vec![object], &alone);
            }
        }
        Self {
            is_known: true,
            types: types.into_values().collect(),
        }
    }
}

/// The types of instances of Python's classes that an object refers to.
fn instances_of(snapshot: &Snapshot, object: ObjId) -> impl Iterator<Item = String> + '_ {
    snapshot
        .references_of(object)
        .map(|(_, target)| snapshot.type_of(target))
        .filter(|of_type| of_type.flags & TypeFlags::PYTHON != 0)
        .filter(|of_type| of_type.flags & TypeFlags::TYPE == 0)
        .map(Type::key)
}

/// How many more references each object has than were found; 0 for what is never freed.
fn surplus(snapshot: &Snapshot) -> Vec<u32> {
    let mut known = vec![0_u32; snapshot.n_objects()];
    // Running frames may borrow what they refer to: then too little is left over, never too much.
    let roots = snapshot.roots.iter().map(|root| root.object);
    for &object in snapshot
        .references
        .target
        .iter()
        .chain(&roots.collect::<Vec<_>>())
    {
        let place = &mut known[object.0 as usize];
        *place = place.saturating_add(1);
    }
    for object in snapshot.ids() {
        let count = snapshot.objects.reference_count[object.0 as usize];
        let is_counted = count != Objects::NEVER_FREED && !snapshot.type_of(object).is_frame();
        let place = &mut known[object.0 as usize];
        *place = match is_counted {
            true => count.saturating_sub(*place),
            false => 0,
        };
    }
    known
}

/// What roots, frames, static types and what is never freed lead to.
fn reached_without_natives(snapshot: &Snapshot) -> ObjectSet {
    let mut reached = ObjectSet::none(snapshot.n_objects());
    let never_freed = snapshot.ids().filter(|&object| {
        let count = snapshot.objects.reference_count[object.0 as usize];
        count == Objects::NEVER_FREED || snapshot.type_of(object).is_frame()
    });
    let roots = snapshot.roots.iter().map(|root| root.object);
    let roots: Vec<ObjId> = roots
        .chain(static_types(snapshot))
        .chain(never_freed)
        .collect();
    spread(snapshot, &mut reached, roots, &BTreeSet::new());
    reached
}

/// Adds all that objects lead to and that was not there, but for what is in `but`. Answers its bytes.
fn spread(
    snapshot: &Snapshot,
    reached: &mut ObjectSet,
    from: Vec<ObjId>,
    but: &BTreeSet<ObjId>,
) -> u64 {
    let mut size_bytes = 0;
    let mut queue = from;
    queue.retain(|&object| reached.add(object));
    while let Some(object) = queue.pop() {
        size_bytes += snapshot.objects.size_bytes[object.0 as usize];
        for (_, target) in snapshot.references_of(object) {
            if !but.contains(&target) && reached.add(target) {
                queue.push(target);
            }
        }
    }
    size_bytes
}

/// Types of which native code alone keeps ever more objects, given as seconds and what was seen; the
/// fastest first.
pub fn native_growth(looks: &[(f64, NativeLook)]) -> Vec<NativeGrowth> {
    let Some((_, last)) = looks.last() else {
        return Vec::new();
    };
    if looks.iter().any(|(_, look)| !look.is_known) {
        return Vec::new();
    }
    let seconds: Vec<f64> = looks.iter().map(|(seconds, _)| *seconds).collect();
    let mut growth: Vec<NativeGrowth> = last
        .types
        .iter()
        .filter_map(|held| {
            let key = held.of_type.key();
            let rows: Vec<Option<&NativeType>> = looks
                .iter()
                .map(|(_, look)| look.types.iter().find(|row| row.of_type.key() == key))
                .collect();
            let counts: Vec<u64> = rows
                .iter()
                .map(|row| row.map_or(0, |row| row.n_alone))
                .collect();
            let first_bytes = rows[0].map_or(0, |row| row.alone_bytes);
            Some(NativeGrowth {
                held: held.clone(),
                objects: rise(&seconds, &counts)?,
                bytes_delta: held.alone_bytes as i64 - first_bytes as i64,
            })
        })
        .collect();
    growth.sort_by(|a, b| b.objects.per_second.total_cmp(&a.objects.per_second));
    growth
}

#[cfg(test)]
mod tests;
