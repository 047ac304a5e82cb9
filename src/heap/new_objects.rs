//! New objects by the rule of Home Assistant's profiler: what is at an address that the look before
//! did not have, of a type that has more objects than it ever had.

use std::collections::{BTreeMap, HashMap};

use leakhunt_wire::TypeFlags;

use crate::snapshot::{ObjId, Objects, Snapshot};

/// What is kept from look to look: 8 bytes an object.
#[derive(Clone, Debug, Default)]
pub struct NewObjects {
    /// Ascending.
    last_addresses: Vec<u64>,
    peaks: BTreeMap<String, u64>,
}

/// What a look shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewObjectsLook {
    /// The first of the new objects in the order of `gc.get_objects()`.
    pub objects: Vec<NewObject>,
    /// How many more there are of each type, in the order of the first of them.
    pub overflow: Vec<(String, u64)>,
}

/// One new object.
#[derive(Clone, Debug, PartialEq)]
pub struct NewObject {
    /// Which.
    pub object: ObjId,
    /// `__name__` of its type; types of one name count together.
    pub type_name: String,
    /// The most objects of the type so far.
    pub n_before: u64,
    /// Objects of the type now.
    pub n_objects: u64,
}

impl NewObjects {
    /// Takes in a look that the collector ran before, and shows at most `max` of its new objects.
    /// All are new at the first. `O(n log n)`.
    pub fn observe(
        &mut self,
        snapshot: &Snapshot,
        max: usize,
        mut matches: impl FnMut(&str) -> bool,
    ) -> NewObjectsLook {
        let tracked = in_collector_order(snapshot);
        let mut counts = BTreeMap::<&str, u64>::new();
        for &object in &tracked {
            *counts.entry(&snapshot.type_of(object).name).or_default() += 1;
        }
        let shows: Vec<bool> = snapshot
            .types
            .iter()
            .map(|of_type| {
                let n_before = self.peaks.get(&of_type.name).copied().unwrap_or(0);
                let n_objects = counts.get(&*of_type.name).copied().unwrap_or(0);
                n_before < n_objects && matches(&of_type.key())
            })
            .collect();
        let mut look = NewObjectsLook::default();
        let mut overflow_index = HashMap::<&str, usize>::new();
        for &object in &tracked {
            let type_id = snapshot.objects.type_id[object.0 as usize];
            let address = snapshot.objects.address[object.0 as usize];
            if !shows[type_id.0 as usize] || self.last_addresses.binary_search(&address).is_ok() {
                continue;
            }
            let type_name = &*snapshot.type_of(object).name;
            if look.objects.len() < max {
                look.objects.push(NewObject {
                    object,
                    type_name: type_name.to_owned(),
                    n_before: self.peaks.get(type_name).copied().unwrap_or(0),
                    n_objects: counts.get(type_name).copied().unwrap_or(0),
                });
                continue;
            }
            let index = *overflow_index.entry(type_name).or_insert_with(|| {
                look.overflow.push((type_name.to_owned(), 0));
                look.overflow.len() - 1
            });
            look.overflow[index].1 += 1;
        }
        self.last_addresses = tracked
            .iter()
            .map(|object| snapshot.objects.address[object.0 as usize])
            .collect();
        self.last_addresses.sort_unstable();
        for (type_name, count) in counts {
            let peak = self.peaks.entry(type_name.to_owned()).or_default();
            *peak = count.max(*peak);
        }
        look
    }
}

/// For each of the objects the first that refers to it in the order of `gc.get_objects()`, itself
/// aside; `None` where the collector tracks none. `O(E)`.
pub fn first_referrers(snapshot: &Snapshot, objects: &[ObjId]) -> Vec<Option<ObjId>> {
    let index: HashMap<ObjId, usize> = objects.iter().copied().zip(0..).collect();
    let mut first = vec![None; objects.len()];
    for referrer in in_collector_order(snapshot) {
        for (_, target) in snapshot.references_of(referrer) {
            if let Some(&index) = index.get(&target)
                && target != referrer
                && first[index].is_none()
            {
                first[index] = Some(referrer);
            }
        }
    }
    first
}

/// What `gc.get_objects()` gives, in its order: the young generation first, each in the order of birth,
/// and no frozen objects. Free-threaded builds have no order: there by address.
fn in_collector_order(snapshot: &Snapshot) -> Vec<ObjId> {
    if snapshot.capture.free_threaded {
        let has_header =
            |&object: &ObjId| snapshot.type_of(object).flags & TypeFlags::COLLECTED != 0;
        return snapshot.ids().filter(has_header).collect();
    }
    let [old, middle, young] = snapshot.capture.generation_starts;
    let generation = |place: u32| match place {
        place if place >= young => 0,
        place if place >= middle => 1,
        _ => 2,
    };
    let place = |object: ObjId| snapshot.objects.birth_place[object.0 as usize];
    let mut tracked: Vec<ObjId> = snapshot
        .ids()
        .filter(|&object| place(object) != Objects::UNTRACKED && place(object) >= old)
        .collect();
    tracked.sort_by_key(|&object| (generation(place(object)), place(object)));
    tracked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Label, LabelName, Type, TypeId};

    const TYPES: [&str; 3] = ["Row", "list", "str"];

    /// Objects of `(address, index of type, place of birth, index of what it refers to)`.
    fn heap(objects: &[(u64, u32, u32, Option<u32>)]) -> Snapshot {
        let types = TYPES.map(|name| Type {
            name: name.into(),
            qualname: name.into(),
            ..Type::default()
        });
        let mut snapshot = Snapshot {
            types: types.into(),
            ..Snapshot::default()
        };
        snapshot.references.first.push(0);
        for &(address, type_index, birth_place, target) in objects {
            snapshot.objects.address.push(address);
            snapshot.objects.type_id.push(TypeId(type_index));
            snapshot.objects.size_bytes.push(8);
            snapshot.objects.reference_count.push(1);
            snapshot.objects.birth_place.push(birth_place);
            if let Some(target) = target {
                snapshot.references.target.push(ObjId(target));
                let label = Label::new(LabelName::None);
                snapshot.references.label.push(label);
            }
            let end = snapshot.references.target.len() as u64;
            snapshot.references.first.push(end);
        }
        snapshot
    }

    fn shown(look: &NewObjectsLook) -> Vec<(u32, &str, u64, u64)> {
        look.objects
            .iter()
            .map(|new| (new.object.0, &*new.type_name, new.n_before, new.n_objects))
            .collect()
    }

    #[test]
    fn all_is_new_at_first_and_then_only_what_is_over_the_peak_at_a_new_address() {
        let mut new = NewObjects::default();
        let u = Objects::UNTRACKED;
        let first = heap(&[(8, 0, 2, None), (16, 1, 0, None), (24, 2, u, None)]);
        let look = new.observe(&first, 9, |_| true);
        assert_eq!(shown(&look), [(1, "list", 0, 1), (0, "Row", 0, 1)]);
        // One more Row at a new address, one at an old one; the list moved.
        let second = heap(&[(8, 0, 0, None), (32, 0, 2, None), (40, 1, 1, None)]);
        let look = new.observe(&second, 9, |_| true);
        assert_eq!(shown(&look), [(1, "Row", 1, 2)]);
        assert_eq!(new.observe(&first, 9, |_| true), NewObjectsLook::default());
        // Back at the peak is not over it.
        assert_eq!(new.observe(&second, 9, |_| true), NewObjectsLook::default());
    }

    #[test]
    fn what_is_over_the_maximum_is_counted_by_type() {
        let first = heap(&[
            (8, 0, 3, None),
            (16, 1, 2, None),
            (24, 0, 1, None),
            (32, 1, 0, None),
        ]);
        let look = NewObjects::default().observe(&first, 1, |_| true);
        assert_eq!(shown(&look), [(3, "list", 0, 2)]);
        assert_eq!(look.overflow, [("Row".into(), 2), ("list".into(), 1)]);
        let look = NewObjects::default().observe(&first, 1, |key| key == "Row");
        assert_eq!(shown(&look), [(2, "Row", 0, 2)]);
        assert_eq!(look.overflow, [("Row".into(), 1)]);
    }

    #[test]
    fn the_young_come_first_and_the_frozen_not_at_all() {
        let rows: Vec<_> = (0..5)
            .map(|place| (8 * u64::from(place + 1), 0, place, None))
            .collect();
        let mut heap = heap(&rows);
        heap.capture.generation_starts = [1, 3, 4];
        assert_eq!(in_collector_order(&heap), [4, 3, 1, 2].map(ObjId));
        heap.capture.free_threaded = true;
        assert_eq!(in_collector_order(&heap), []);
    }

    #[test]
    fn the_first_referrer_is_that_of_the_collectors_order() {
        let u = Objects::UNTRACKED;
        let heap = heap(&[
            (8, 0, 0, Some(0)),
            (16, 1, 2, Some(0)),
            (24, 1, 1, Some(0)),
            (32, 2, u, Some(3)),
            (40, 2, u, Some(3)),
        ]);
        let first = first_referrers(&heap, &[ObjId(0), ObjId(3)]);
        assert_eq!(first, [Some(ObjId(2)), None]);
    }
}
