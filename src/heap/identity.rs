//! Which objects of a snapshot were there at an earlier one.
//!
//! An address alone does not tell: half of the new objects stand where another of the same type
//! stood before. But the collector's lists keep objects in the order of their birth, survivors keep
//! their relative order, and an address that is used again reappears at the end. So the survivors
//! are the longest sequence of old places that ascends in the new order, up to where the new ones
//! begin. An object that has not lived through a full collection yet may be put elsewhere by it: it
//! is a probable one at best.

mod order;

use leakhunt_wire::TypeFlags;

use crate::snapshot::{LabelName, ObjId, Objects, Snapshot, TypeId};

/// What an object is, seen from an earlier snapshot.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Identity {
    /// The same object: address and type, and its place in the order of birth.
    Survivor,
    /// Most likely the same: address and type, and it refers to the same objects or stands in the old
    /// order among others that a collection may have moved; or an untracked object that nothing
    /// contradicts.
    Probable,
    /// Not there before, or not known to have been.
    New,
}

/// The identity of each object of `after`, by its index. Both are of one process, `before` the earlier.
/// `O(n log n + e)`, 20 bytes an object for a moment. On free-threaded builds there is no order of
/// birth, so that nothing tracked is a [`Identity::Survivor`] unless it is never freed.
pub fn identify(before: &Snapshot, after: &Snapshot) -> Vec<Identity> {
    let twins = Twins::find(before, after);
    let mut identities = vec![Identity::New; after.n_objects()];
    let mut untold = order::tell(before, after, &twins, &mut identities);
    for (object, twin) in twins.pairs() {
        if is_never_freed(before, twin) && is_never_freed(after, object) {
            identities[object.0 as usize] = Identity::Survivor;
        }
    }
    if after.capture.free_threaded {
        untold = after
            .ids()
            .filter(|&object| is_container(after, object))
            .collect();
    }
    for object in untold {
        if identities[object.0 as usize] == Identity::New
            && let Some(twin) = twins.of(object)
            && refer_to_the_same(before, twin, after, object)
        {
            identities[object.0 as usize] = Identity::Probable;
        }
    }
    inherit(before, after, &twins, &mut identities);
    identities
}

/// For each object of the later snapshot the one of the earlier at its address, if of the same type.
struct Twins(Vec<u32>);

const NO_TWIN: u32 = u32::MAX;

impl Twins {
    fn find(before: &Snapshot, after: &Snapshot) -> Self {
        let old_types = same_types(before, after);
        let (old, new) = (&before.objects, &after.objects);
        let mut twins = vec![NO_TWIN; new.len()];
        let mut place = 0;
        for (index, twin) in twins.iter_mut().enumerate() {
            let address = new.address[index];
            while old.address.get(place).is_some_and(|&other| other < address) {
                place += 1;
            }
            if old.address.get(place) == Some(&address)
                && old_types[new.type_id[index].0 as usize] == Some(old.type_id[place])
            {
                *twin = u32::try_from(place).unwrap_or(NO_TWIN);
            }
        }
        Self(twins)
    }

    fn of(&self, object: ObjId) -> Option<ObjId> {
        let twin = self.0[object.0 as usize];
        (twin != NO_TWIN).then_some(ObjId(twin))
    }

    fn pairs(&self) -> impl Iterator<Item = (ObjId, ObjId)> + '_ {
        (0_u32..)
            .zip(&self.0)
            .filter_map(|(object, &twin)| (twin != NO_TWIN).then_some((ObjId(object), ObjId(twin))))
    }
}

/// For each type of `after` the same one of `before`.
fn same_types(before: &Snapshot, after: &Snapshot) -> Vec<Option<TypeId>> {
    let old_types: std::collections::HashMap<_, _> = (0..)
        .map(TypeId)
        .zip(&before.types)
        .map(|(id, old)| ((old.address, old.flags, &old.module, &old.qualname), id))
        .collect();
    let same = |new: &crate::snapshot::Type| {
        old_types
            .get(&(new.address, new.flags, &new.module, &new.qualname))
            .copied()
    };
    after.types.iter().map(same).collect()
}

/// Whether an object is none of the collector's. Without an order of birth its type alone tells.
fn is_leaf(snapshot: &Snapshot, object: ObjId) -> bool {
    let is_untracked = snapshot.objects.birth_place[object.0 as usize] == Objects::UNTRACKED;
    let is_collected = snapshot.type_of(object).flags & TypeFlags::COLLECTED != 0;
    is_untracked && !(snapshot.capture.free_threaded && is_collected)
}

fn is_never_freed(snapshot: &Snapshot, object: ObjId) -> bool {
    snapshot.objects.reference_count[object.0 as usize] == Objects::NEVER_FREED
}

/// Whether an object refers to anything but its type.
fn is_container(snapshot: &Snapshot, object: ObjId) -> bool {
    referents(snapshot, object).next().is_some()
}

/// Addresses of what an object refers to, beside its type.
fn referents(snapshot: &Snapshot, object: ObjId) -> impl Iterator<Item = u64> + '_ {
    snapshot
        .references_of(object)
        .filter(|(label, _)| label.name() != LabelName::Type)
        .map(|(_, target)| snapshot.objects.address[target.0 as usize])
}

fn refer_to_the_same(before: &Snapshot, old: ObjId, after: &Snapshot, new: ObjId) -> bool {
    is_container(after, new) && referents(before, old).eq(referents(after, new))
}

/// Hands the identity of objects on to the untracked ones that they referred to before and still do.
/// One that nobody in the heap refers to is taken for the same if its size is.
fn inherit(before: &Snapshot, after: &Snapshot, twins: &Twins, identities: &mut [Identity]) {
    let mut has_owner = vec![false; after.n_objects()];
    let mut rest: Vec<ObjId> = Vec::new();
    for owner in after.ids() {
        for (_, target) in after.references_of(owner) {
            has_owner[target.0 as usize] = true;
        }
        if identities[owner.0 as usize] != Identity::New {
            rest.push(owner);
        }
    }
    let mut old_referents = Vec::new();
    while let Some(owner) = rest.pop() {
        let Some(old_owner) = twins.of(owner) else {
            continue;
        };
        let identity = identities[owner.0 as usize];
        old_referents.clear();
        old_referents.extend(before.references_of(old_owner).map(|(_, target)| target));
        old_referents.sort_unstable();
        for (_, target) in after.references_of(owner) {
            let index = target.0 as usize;
            if is_leaf(after, target)
                && identity < identities[index]
                && let Some(twin) = twins.of(target)
                && same_size(before, twin, after, target)
                && old_referents.binary_search(&twin).is_ok()
            {
                identities[index] = identity;
                rest.push(target);
            }
        }
    }
    for (object, twin) in twins.pairs() {
        let index = object.0 as usize;
        if identities[index] == Identity::New
            && !has_owner[index]
            && is_leaf(after, object)
            && same_size(before, twin, after, object)
        {
            identities[index] = Identity::Probable;
        }
    }
}

fn same_size(before: &Snapshot, old: ObjId, after: &Snapshot, new: ObjId) -> bool {
    before.objects.size_bytes[old.0 as usize] == after.objects.size_bytes[new.0 as usize]
}

/// Indices of a longest strictly increasing subsequence, by patience sorting: `O(n log n)`, 12 bytes a
/// value. Of several it is the one that comes first: what was born later stands behind.
fn longest_increasing(values: &[u32]) -> Vec<usize> {
    // For each length the smallest value that ends a sequence of that length.
    let mut ends: Vec<u32> = Vec::new();
    // How long a sequence may be that each value ends, less one.
    let mut lens: Vec<u32> = Vec::with_capacity(values.len());
    for &value in values {
        let len = ends.partition_point(|&end| end < value);
        match ends.get_mut(len) {
            Some(end) => *end = value,
            None => ends.push(value),
        }
        lens.push(u32::try_from(len).unwrap_or(u32::MAX));
    }
    // Indices of the values of each length, where they descend.
    let mut starts = vec![0_usize; ends.len() + 1];
    for &len in &lens {
        starts[len as usize + 1] += 1;
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    let mut next = starts.clone();
    let mut by_len = vec![0_u32; values.len()];
    for (index, &len) in (0..).zip(&lens) {
        let place = &mut next[len as usize];
        by_len[*place] = index;
        *place += 1;
    }
    let mut sequence = Vec::with_capacity(ends.len());
    let mut below = None;
    for len in (0..ends.len()).rev() {
        let indices = &by_len[starts[len]..starts[len + 1]];
        let first = indices
            .partition_point(|&index| below.is_some_and(|below| values[index as usize] >= below));
        let Some(&index) = indices.get(first) else {
            break;
        };
        below = Some(values[index as usize]);
        sequence.push(index as usize);
    }
    sequence.reverse();
    sequence
}

#[cfg(test)]
mod tests;
