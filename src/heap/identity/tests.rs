use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;

/// The length of the longest increasing subsequence, from those of all beginnings.
fn brute_force(values: &[u32]) -> usize {
    let mut lens = vec![0; values.len()];
    for index in 0..values.len() {
        let before = (0..index).filter(|&before| values[before] < values[index]);
        lens[index] = before.map(|before| lens[before]).max().unwrap_or(0) + 1;
    }
    lens.into_iter().max().unwrap_or(0)
}

#[test]
fn the_longest_increasing_subsequence_is_as_long_as_brute_force_finds() {
    let mut random = Random::new(4);
    for _ in 0..2000 {
        let len = random.below(40);
        let values: Vec<u32> = (0..len).map(|_| random.below(30)).collect();
        let found = longest_increasing(&values);
        assert_eq!(found.len(), brute_force(&values), "{values:?}");
        assert!(found.is_sorted_by(|one, next| one < next));
        let picked: Vec<u32> = found.iter().map(|&index| values[index]).collect();
        assert!(picked.is_sorted_by(|one, next| one < next), "{picked:?}");
    }
}

/// Rows at places that are multiples of 64 bytes, in the order of birth; each with a text of its own.
fn rows(places: &[u64]) -> Snapshot {
    let mut heap = SnapshotBuilder::new();
    let mut sorted: Vec<(u64, usize)> = places.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let mut end = 0;
    let mut ids = Vec::new();
    for (place, born) in sorted {
        heap.skip((place - end) * 64);
        let row = heap.object("shop.Row");
        heap.place(row, born as u32);
        end = place + 1;
        ids.push((row, place));
    }
    heap.skip((1000 - end) * 64);
    let mut end = 0;
    for (row, place) in ids {
        heap.skip((place - end) * 64);
        let text = heap.object("str");
        heap.reference(row, Via::Attribute("text"), text);
        end = place + 1;
    }
    heap.finish()
}

fn identity_at(snapshot: &Snapshot, identities: &[Identity], place: u64) -> Identity {
    let row = snapshot.objects.at(0x7f00_0000_0000 + place * 64).unwrap();
    identities[row.0 as usize]
}

#[test]
fn survivors_keep_their_order_and_what_is_born_at_an_old_address_is_new() {
    let before = rows(&[3, 1, 4, 7, 9]);
    // 1 was freed, and another object took its place; 11 is at a new place.
    let after = rows(&[3, 4, 7, 9, 1, 11]);
    let identities = identify(&before, &after);
    for survivor in [3, 4, 7, 9] {
        let identity = identity_at(&after, &identities, survivor);
        assert_eq!(identity, Identity::Survivor, "{survivor}");
    }
    // Its text is at the same address as that of the one before, which says nothing of the row.
    assert_eq!(identity_at(&after, &identities, 1), Identity::New);
    assert_eq!(identity_at(&after, &identities, 11), Identity::New);
}

#[test]
fn an_old_address_with_other_referents_or_of_another_type_is_new() {
    let heap = |names: [&str; 3], order: [u32; 3], held: usize| {
        let mut heap = SnapshotBuilder::new();
        let objects = names.map(|name| heap.object(name));
        for (object, place) in objects.into_iter().zip(order) {
            heap.place(object, place);
        }
        let texts = [heap.object("str"), heap.object("str")];
        heap.reference(objects[0], Via::Attribute("text"), texts[held]);
        heap.finish()
    };
    let before = heap(["Row", "list", "list"], [0, 1, 2], 0);
    let after = heap(["Row", "list", "tuple"], [2, 0, 1], 1);
    let identities = identify(&before, &after);
    assert_eq!(
        identities[..3],
        [Identity::New, Identity::Survivor, Identity::New]
    );
    // The two that are new were born before the third.
    let after = heap(["list", "Row", "list"], [0, 1, 2], 0);
    assert_eq!(identify(&before, &after)[..3], [Identity::New; 3]);
    let after = heap(["list", "Row", "list"], [1, 2, 0], 0);
    assert_eq!(
        identify(&before, &after)[..3],
        [Identity::New, Identity::New, Identity::Survivor]
    );
}

#[test]
fn what_a_survivor_still_holds_is_as_old_as_it_and_what_it_took_is_new() {
    let heap = |held: &[u64]| {
        let mut heap = SnapshotBuilder::new();
        let row = heap.tracked("list");
        let mut end = 0;
        for (index, &place) in (0..).zip(held) {
            heap.skip((place - end) * 64);
            let text = heap.object("str");
            heap.reference(row, Via::Item(index), text);
            end = place + 1;
        }
        heap.finish()
    };
    let before = heap(&[1, 3]);
    let after = heap(&[1, 3, 5]);
    let identities = identify(&before, &after);
    let survivor = Identity::Survivor;
    assert_eq!(identities, [survivor, survivor, survivor, Identity::New]);
}

#[test]
fn without_an_order_of_birth_only_equal_referents_tell() {
    let heap = |held: usize| {
        let mut heap = SnapshotBuilder::new();
        let rows = [heap.object("list"), heap.object("list")];
        let texts = [heap.object("str"), heap.object("str")];
        heap.reference(rows[0], Via::Item(0), texts[0]);
        heap.reference(rows[1], Via::Item(0), texts[held]);
        heap.capture().free_threaded = true;
        heap.finish()
    };
    let identities = identify(&heap(0), &heap(1));
    assert_eq!(identities[..2], [Identity::Probable, Identity::New]);
    assert!(!identities.contains(&Identity::Survivor));
}

#[test]
fn of_heaps_that_churn_hardly_a_survivor_is_lost_and_what_is_at_a_new_place_is_new() {
    let mut random = Random::new(5);
    let (mut n_kept, mut n_lost) = (0, 0);
    for _ in 0..100 {
        // Old objects in the order of birth, by place; some are freed, and new ones take places.
        let mut places: Vec<u64> = (0..200).collect();
        for index in (1..places.len()).rev() {
            places.swap(index, random.below(index as u32 + 1) as usize);
        }
        let (born, free) = places.split_at(150);
        let mut kept = born.to_vec();
        kept.retain(|_| random.below(4) > 0);
        let mut later = places.clone();
        later.retain(|place| !kept.contains(place));
        later.truncate(random.below(later.len() as u32 + 1) as usize);
        let all: Vec<u64> = kept.iter().chain(&later).copied().collect();
        let (before, after) = (rows(born), rows(&all));
        let identities = identify(&before, &after);
        let is_survivor = |place| identity_at(&after, &identities, place) == Identity::Survivor;
        n_kept += kept.len();
        n_lost += kept.iter().filter(|&&place| !is_survivor(place)).count();
        for &place in later.iter().filter(|place| free.contains(place)) {
            assert_eq!(identity_at(&after, &identities, place), Identity::New);
        }
    }
    assert!(n_lost * 100 < n_kept, "{n_lost} of {n_kept}");
}

/// Collector's lists, the frozen ones left out: the addresses of objects in the order of birth, which
/// are made where others were freed, and handed on by collections.
#[derive(Clone, Default)]
struct Collected {
    /// The old, the middle and the young generation: addresses with the serial numbers of objects.
    generations: [Vec<(u64, u32)>; 3],
    free: Vec<u64>,
    n_born: u32,
    n_full: u64,
}

impl Collected {
    fn make(&mut self, n: u32) {
        for _ in 0..n {
            let address = self.free.pop().unwrap_or(u64::from(self.n_born));
            self.generations[2].push((address, self.n_born));
            self.n_born += 1;
        }
    }

    /// Frees objects by their serial numbers.
    fn free(&mut self, is_freed: impl Fn(u32) -> bool) {
        let mut freed = Vec::new();
        for generation in &mut self.generations {
            freed.extend(generation.iter().filter(|one| is_freed(one.1)));
            generation.retain(|one| !is_freed(one.1));
        }
        freed.sort_unstable_by_key(|&(_, serial)| std::cmp::Reverse(serial));
        self.free.extend(freed.iter().map(|&(address, _)| address));
    }

    /// Collects the young generation, and all up to `oldest`.
    fn collect(&mut self, oldest: usize) {
        for index in (oldest.max(1)..3).rev() {
            let handed_on = std::mem::take(&mut self.generations[index]);
            self.generations[index - 1].extend(handed_on);
        }
        self.n_full += u64::from(oldest == 0);
    }

    /// As a snapshot, and the serial numbers of its objects.
    fn look(&self) -> (Snapshot, Vec<u32>) {
        let mut all: Vec<(u64, u32, u32)> = (0..)
            .zip(self.generations.iter().flatten())
            .map(|(place, &(address, serial))| (address, serial, place))
            .collect();
        all.sort_unstable();
        let mut heap = SnapshotBuilder::new();
        let mut end = 0;
        for &(address, _, place) in &all {
            heap.skip((address - end) * 64);
            let row = heap.object("shop.Row");
            heap.place(row, place);
            end = address + 1;
        }
        let [old, middle, _] = self.generations.each_ref().map(|one| one.len() as u32);
        heap.capture().generation_starts = [0, old, old + middle];
        heap.capture().n_full_collections = self.n_full;
        let serials = all.iter().map(|&(_, serial, _)| serial).collect();
        (heap.finish(), serials)
    }
}

/// How many objects of `after` are of each identity, by whether they were there before.
fn counts(before: &(Snapshot, Vec<u32>), after: &(Snapshot, Vec<u32>)) -> [[usize; 3]; 2] {
    let mut counts = [[0; 3]; 2];
    let were_there: std::collections::HashSet<u32> = before.1.iter().copied().collect();
    for (identity, serial) in identify(&before.0, &after.0).iter().zip(&after.1) {
        counts[usize::from(were_there.contains(serial))][*identity as usize] += 1;
    }
    counts
}

const SURVIVOR: usize = Identity::Survivor as usize;
const PROBABLE: usize = Identity::Probable as usize;
const NEW: usize = Identity::New as usize;

#[test]
fn a_batch_that_is_made_anew_at_the_same_addresses_in_the_same_order_is_new() {
    for collections in [&[][..], &[2], &[2, 1]] {
        for n_in_between in [0, 8] {
            let mut heap = Collected::default();
            heap.make(1000);
            heap.collect(0);
            heap.make(500);
            heap.make(20);
            let before = heap.look();
            heap.make(n_in_between);
            heap.free(|serial| (1000..1500).contains(&serial));
            heap.make(500);
            for &oldest in collections {
                heap.collect(oldest);
            }
            let [new, there] = counts(&before, &heap.look());
            assert_eq!(there, [1020, 0, 0], "{collections:?} {n_in_between}");
            // Among objects that a collection may have moved it cannot be told for sure.
            assert_eq!(new[SURVIVOR], 0, "{collections:?} {n_in_between}");
            if collections.is_empty() {
                assert_eq!(new[PROBABLE], 0, "{n_in_between}");
            }
        }
    }
}

#[test]
fn what_is_in_a_generation_that_was_collected_since_is_new() {
    let mut heap = Collected::default();
    heap.make(1000);
    let before = heap.look();
    heap.collect(2);
    heap.free(|serial| serial >= 900);
    heap.make(100);
    let [new, there] = counts(&before, &heap.look());
    assert_eq!((new, there), ([0, 0, 100], [900, 0, 0]));
    // In the old generation nothing tells them from objects that were handed on.
    heap.collect(0);
    let [new, _] = counts(&before, &heap.look());
    assert_eq!(new, [100, 0, 0]);
}

#[test]
fn some_that_seem_new_among_survivors_do_not_make_these_new() {
    let mut heap = Collected::default();
    heap.make(5000);
    heap.collect(0);
    let before = heap.look();
    let (mut changed, serials) = heap.look();
    // As after an assignment to `__class__`.
    changed.types.push(crate::snapshot::Type::default());
    for object in [100, 2000, 4000] {
        changed.objects.type_id[object] = TypeId(changed.types.len() as u32 - 1);
    }
    let [_, there] = counts(&before, &(changed, serials));
    assert_eq!(there, [4997, 0, 3]);
}

#[test]
fn in_heaps_that_are_collected_no_survivor_is_new_and_hardly_a_new_one_is_a_survivor() {
    let mut random = Random::new(6);
    let mut sums = [[0; 3]; 2];
    for _ in 0..15 {
        let mut heap = Collected::default();
        heap.make(2000);
        let mut step = |heap: &mut Collected| {
            let (start, len) = (random.below(heap.n_born), random.below(300));
            let one_of = 1 + random.below(3);
            heap.free(|serial| (start..start + len).contains(&serial) && serial % one_of == 0);
            heap.make(random.below(400));
            match random.below(20) {
                0 => heap.collect(0),
                1..4 => heap.collect(1),
                4..10 => heap.collect(2),
                _ => {}
            }
        };
        for _ in 0..20 {
            step(&mut heap);
        }
        let before = heap.look();
        for _ in 0..10 {
            step(&mut heap);
        }
        let of_run = counts(&before, &heap.look());
        for (sum, n) in sums.iter_mut().flatten().zip(of_run.iter().flatten()) {
            *sum += n;
        }
    }
    let [new, there] = sums;
    assert_eq!(there[NEW], 0, "{sums:?}");
    assert!(there[PROBABLE] * 100 < there[SURVIVOR], "{sums:?}");
    assert!(new[SURVIVOR] * 100 < new[NEW], "{sums:?}");
}
