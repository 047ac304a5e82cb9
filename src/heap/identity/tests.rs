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
    assert_eq!(identity_at(&after, &identities, 1), Identity::Probable);
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
    // Without referents nothing but the order tells.
    let after = heap(["list", "Row", "list"], [0, 1, 2], 0);
    let identities = identify(&before, &after);
    assert_eq!(
        identities[..3],
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
