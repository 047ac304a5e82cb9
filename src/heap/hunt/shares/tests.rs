use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::hunt::trend::{Course, Trend};
use crate::hunt::{PlaceHistory, growing_places};
use crate::random::Random;
use crate::snapshot::RootKind;

/// A heap in which two registries hold objects: so many both, and so many each alone. Each of the latter
/// has a text of its own.
fn heap(n_common: u32, n_own: [u32; 2]) -> Snapshot {
    let (mut heap, lists) = lists_of_a_module(&["ONE", "OTHER"]);
    let settings = heap.object("list");
    let mut places = [0, 0];
    let mut hold = |heap: &mut SnapshotBuilder, which: usize, object| {
        heap.reference(lists[which], Via::Item(places[which]), object);
        places[which] += 1;
    };
    for _ in 0..n_common {
        let common = heap.tracked("shop.Common");
        heap.reference(common, Via::Attribute("settings"), settings);
        hold(&mut heap, 0, common);
        hold(&mut heap, 1, common);
    }
    for (which, &n_own) in n_own.iter().enumerate() {
        for _ in 0..n_own {
            let own = heap.tracked("shop.Own");
            let text = heap.object("str");
            heap.reference(own, Via::Attribute("text"), text);
            hold(&mut heap, which, own);
        }
    }
    heap.root(RootKind::Builtins, settings);
    heap.finish()
}

/// `sys.modules` with a module `shop`, whose attributes are lists.
fn lists_of_a_module(names: &[&str]) -> (SnapshotBuilder, Vec<ObjId>) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let lists = names.iter().map(|name| {
        let list = heap.object("list");
        heap.attribute(shop, name, list);
        list
    });
    let lists = lists.collect();
    (heap, lists)
}

fn shares(looks: &[(u32, [u32; 2])]) -> (Vec<Growing>, Vec<Share>) {
    let mut history = PlaceHistory::default();
    let mut last = None;
    for (&(n_common, n_own), index) in looks.iter().zip(0_u32..) {
        let snapshot = heap(n_common, n_own);
        let mut places = Places::of(&snapshot);
        history.observe(&mut places, f64::from(index) * 10.0);
        last = Some((snapshot, places));
    }
    let (snapshot, places) = last.unwrap();
    let (growing, _) = growing_places(&snapshot, &places, &history);
    let shares = leak_shares(&snapshot, &places, &growing);
    (growing, shares)
}

#[test]
fn two_places_that_hold_the_same_and_gain_alike_are_one() {
    let looks = [10, 20, 40, 50, 90, 100].map(|n| (n, [n / 10, n / 10]));
    let (growing, shares) = shares(&looks);
    assert_eq!(growing.len(), 2);
    let [share] = &shares[..] else {
        panic!("{shares:?}");
    };
    assert_eq!(share.places, [0, 1]);
    // 100 in common, and 20 with a text each.
    assert_eq!(share.exclusive_bytes, 140 * 64);
    assert_eq!(share.share_bytes, 140 * 64);
    assert_eq!(share.exclusive_objects, 140);
}

#[test]
fn what_two_places_hold_that_gain_otherwise_falls_to_each_by_half() {
    let looks = [
        (60, [1, 1]),
        (62, [5, 2]),
        (64, [6, 3]),
        (66, [7, 40]),
        (68, [49, 45]),
        (70, [50, 50]),
    ];
    let (growing, shares) = shares(&looks);
    assert_eq!(growing.len(), 2);
    assert_eq!(shares.len(), 2, "{shares:?}");
    for share in &shares {
        // 70 in common, and 50 with a text.
        assert_eq!(share.share_bytes, (70 / 2 + 100) * 64);
        assert_eq!(share.exclusive_bytes, 100 * 64);
        assert_eq!(share.exclusive_objects, 100);
    }
}

#[test]
fn what_something_else_holds_falls_to_no_place() {
    let (mut heap, lists) = lists_of_a_module(&["GROWING", "INDEX"]);
    let entries: Vec<ObjId> = (0..10).map(|_| heap.tracked("shop.Entry")).collect();
    for (&entry, place) in entries.iter().zip(0..) {
        heap.reference(lists[0], Via::Item(place), entry);
    }
    for (&entry, place) in entries[..4].iter().zip(0..) {
        heap.reference(lists[1], Via::Item(place), entry);
    }
    let heap = heap.finish();
    let places = Places::of(&heap);
    let growing = [growing(&places, entries[9], &[1, 2, 3])];
    let shares = leak_shares(&heap, &places, &growing);
    assert_eq!(shares[0].exclusive_objects, 6);
    assert_eq!(shares[0].share_bytes, 6 * 64);
}

/// The place of an object, as one that gained so much at each look.
fn growing(places: &Places, object: ObjId, gains: &[u64]) -> Growing {
    let values = gains.iter().scan(10, |sum, gain| {
        *sum += gain;
        Some(*sum)
    });
    Growing {
        of: GrowthOf::Objects,
        ways: vec![places.way_of(object).unwrap()],
        values: values.collect(),
        trend: Trend {
            course: Course::Grows,
            per_second: 1.0,
            low: 1.0,
            high: 1.0,
            n_rises: gains.len(),
            n_intervals: gains.len(),
        },
        bytes: Vec::new(),
    }
}

/// Of each list the gains; those of the second and the last are in a fixed ratio.
const GAINS: [[u64; 4]; 3] = [[1, 2, 3, 1], [3, 1, 2, 9], [6, 2, 4, 18]];

/// Three lists with objects of their own and of others, which refer to each other, to things of the
/// program, and back to the lists.
fn random_lists(random: &mut Random) -> (Snapshot, Vec<ObjId>, Vec<ObjId>) {
    let (mut heap, lists) = lists_of_a_module(&["ONE", "OTHER", "THIRD"]);
    let things: Vec<ObjId> = (0..4).map(|_| heap.object("shop.Thing")).collect();
    heap.root(RootKind::Builtins, things[0]);
    let entries: Vec<ObjId> = (0..12).map(|_| heap.tracked("shop.Entry")).collect();
    let hidden: Vec<ObjId> = (0..12).map(|_| heap.object("shop.Row")).collect();
    for &object in entries.iter().chain(&hidden).chain(&things) {
        // Halves and thirds of it are whole numbers.
        heap.size(object, 48 * u64::from(1 + random.below(9)));
    }
    for (which, &list) in lists.iter().enumerate() {
        // One is held by it alone.
        heap.reference(list, Via::Item(0), entries[which]);
    }
    for &entry in &entries[lists.len()..] {
        for (place, &list) in (1..).zip(&lists) {
            if random.below(3) == 0 {
                heap.reference(list, Via::Item(place), entry);
            }
        }
    }
    let inner: Vec<ObjId> = entries.iter().chain(&hidden).copied().collect();
    let targets: Vec<ObjId> = hidden
        .iter()
        .chain(&things)
        .chain(&lists)
        .copied()
        .collect();
    let any = |random: &mut Random, of: &[ObjId]| of[random.below(of.len() as u32) as usize];
    for _ in 0..random.below(40) {
        let (from, to) = (any(random, &inner), any(random, &targets));
        heap.reference(from, Via::Attribute("other"), to);
    }
    for _ in 0..random.below(4) {
        let (from, to) = (any(random, &things), any(random, &hidden));
        heap.reference(from, Via::Attribute("row"), to);
    }
    (heap.finish(), lists, entries)
}

/// What is alive when the items of some lists are taken out.
fn alive_without(heap: &Snapshot, emptied: &[ObjId]) -> Vec<bool> {
    let mut alive = vec![false; heap.n_objects()];
    let mut stack: Vec<ObjId> = heap.roots.iter().map(|root| root.object).collect();
    stack.extend(held_from_outside(heap));
    while let Some(object) = stack.pop() {
        if std::mem::replace(&mut alive[object.0 as usize], true) || emptied.contains(&object) {
            continue;
        }
        stack.extend(heap.references_of(object).map(|(_, target)| target));
    }
    alive
}

#[test]
fn shares_are_what_is_freed_when_places_are_emptied() {
    let mut random = Random::new(5);
    let mut n_groups = [0; 4];
    for round in 0..300 {
        let (heap, lists, entries) = random_lists(&mut random);
        let places = Places::of(&heap);
        let growing: Vec<Growing> = (0..lists.len())
            .map(|which| growing(&places, entries[which], &GAINS[which]))
            .collect();
        let shares = leak_shares(&heap, &places, &growing);
        n_groups[shares.len()] += 1;
        let size = |object: ObjId| heap.objects.size_bytes[object.0 as usize];
        let now = alive_without(&heap, &[]);
        let outside = alive_without(&heap, &lists);
        // By each list alone.
        let by = |which: usize| {
            let mut others = lists.clone();
            others.remove(which);
            alive_without(&heap, &others)
        };
        let by: Vec<Vec<bool>> = (0..lists.len()).map(by).collect();
        for share in &shares {
            let emptied: Vec<ObjId> = share.places.iter().map(|&which| lists[which]).collect();
            let left = alive_without(&heap, &emptied);
            let freed = || {
                let ids = heap.ids();
                ids.filter(|id| now[id.0 as usize] && !left[id.0 as usize])
            };
            assert_eq!(share.exclusive_objects, freed().count() as u64, "{round}");
            let bytes: u64 = freed().map(size).sum();
            assert_eq!(share.exclusive_bytes, bytes, "{round}");
            let part = |object: ObjId| {
                let holders: Vec<usize> = (0..lists.len())
                    .filter(|&which| by[which][object.0 as usize])
                    .collect();
                let ours = holders.iter().filter(|which| share.places.contains(which));
                size(object) * ours.count() as u64 / holders.len().max(1) as u64
            };
            let inside = heap.ids().filter(|id| !outside[id.0 as usize]);
            assert_eq!(share.share_bytes, inside.map(part).sum::<u64>(), "{round}");
        }
    }
    assert!(n_groups[2] > 10 && n_groups[3] > 10, "{n_groups:?}");
}
