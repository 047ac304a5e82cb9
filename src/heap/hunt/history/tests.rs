use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::{ObjId, RootKind, Snapshot};

/// A list of so many objects of each of these types.
fn list_of(entries: &[(&str, u32)]) -> (Snapshot, ObjId) {
    let mut heap = SnapshotBuilder::new();
    let list = heap.object("list");
    heap.root(RootKind::Modules, list);
    let mut place = 0;
    for &(type_name, n) in entries {
        for _ in 0..n {
            let entry = heap.tracked(type_name);
            heap.reference(list, Via::Item(place), entry);
            place += 1;
        }
    }
    (heap.finish(), list)
}

/// How many objects of a type were seen, of those at the last look; `None` if it never changed.
fn counts(looks: &[&[(&str, u32)]], type_name: &str) -> Option<Vec<u32>> {
    let mut history = PlaceHistory::default();
    let mut last = None;
    for (&entries, index) in looks.iter().zip(0_u32..) {
        let (heap, _) = list_of(entries);
        let mut places = Places::of(&heap);
        history.observe(&mut places, f64::from(index));
        last = Some((heap, places));
    }
    assert_eq!(history.n_looks(), looks.len());
    let (heap, places) = last.unwrap();
    let (_, way) = places
        .ways()
        .find(|(_, way)| heap.types[way.type_id.0 as usize].key() == type_name)
        .unwrap();
    let measures = history.of(way)?;
    assert_eq!(measures.len(), looks.len(), "one measure a look");
    Some(measures.iter().map(|at| at.n_objects).collect())
}

#[test]
fn what_never_changed_takes_no_room() {
    let same: &[(&str, u32)] = &[("shop.Row", 3), ("shop.Page", 1)];
    let more: &[(&str, u32)] = &[("shop.Row", 3), ("shop.Page", 2)];
    assert_eq!(counts(&[same, same, more], "shop.Row"), None);
    assert_eq!(
        counts(&[same, same, more], "shop.Page"),
        Some(vec![1, 1, 2])
    );
}

#[test]
fn a_place_that_was_not_there_or_is_gone_for_a_while_had_none() {
    let without: &[(&str, u32)] = &[("shop.Row", 3)];
    let with: &[(&str, u32)] = &[("shop.Row", 3), ("shop.Page", 2)];
    assert_eq!(
        counts(&[without, without, with, with], "shop.Page"),
        Some(vec![0, 0, 2, 2])
    );
    assert_eq!(
        counts(&[without, with, without, with], "shop.Page"),
        Some(vec![0, 2, 0, 2])
    );
}

#[test]
fn a_place_that_changed_once_has_all_its_looks() {
    let looks: [&[(&str, u32)]; 4] = [
        &[("shop.Row", 1)],
        &[("shop.Row", 2)],
        &[("shop.Row", 2)],
        &[("shop.Row", 2)],
    ];
    assert_eq!(counts(&looks, "shop.Row"), Some(vec![1, 2, 2, 2]));
}

#[test]
fn classes_of_one_name_are_one() {
    let mut history = PlaceHistory::default();
    let heap_of = |counts: [u32; 2]| {
        let (mut heap, _) = list_of(&[("shop.One", counts[0]), ("shop.Other", counts[1])]);
        for of_type in &mut heap.types {
            if of_type.qualname == "Other" {
                of_type.qualname = "One".into();
            }
        }
        heap
    };
    let mut last = None;
    for (counts, seconds) in [([5, 1], 0.0), ([5, 2], 1.0), ([5, 3], 2.0)] {
        let mut places = Places::of(&heap_of(counts));
        history.observe(&mut places, seconds);
        last = Some(places);
    }
    let places = last.unwrap();
    let of_entries = places.ways().filter(|(_, way)| way.from.is_some());
    let mut n_ways = 0;
    for (_, way) in of_entries {
        let counts: Vec<u32> = history
            .of(way)
            .unwrap()
            .iter()
            .map(|at| at.n_objects)
            .collect();
        assert_eq!(counts, [6, 7, 8]);
        n_ways += 1;
    }
    assert_eq!(n_ways, 2);
}

#[test]
fn a_place_is_the_same_by_whatever_path_its_object_is_reached_now() {
    let mut history = PlaceHistory::default();
    let mut last = None;
    // Longer paths are there as well, at the end of the heap.
    for (n_entries, is_asked) in [(3, false), (4, true), (5, false), (6, false), (7, true)] {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let (far, rows) = (heap.object("shop.App"), heap.object("list"));
        heap.attribute(shop, "APP", far);
        heap.attribute(far, "rows", rows);
        for index in 0..n_entries {
            let row = heap.tracked("shop.Row");
            heap.reference(rows, Via::Item(index), row);
        }
        if is_asked {
            heap.attribute(shop, "now", rows);
        }
        let heap = heap.finish();
        let mut places = Places::of(&heap);
        history.observe(&mut places, f64::from(n_entries));
        last = Some((heap, places));
    }
    let (heap, places) = last.unwrap();
    let mut ways = places.ways();
    let way = ways.find(|(_, way)| heap.types[way.type_id.0 as usize].key() == "shop.Row");
    let measures = history.of(way.unwrap().1).unwrap();
    let counts: Vec<u32> = measures.iter().map(|at| at.n_objects).collect();
    assert_eq!(counts, [3, 4, 5, 6, 7]);
}

#[test]
fn a_container_that_moves_on_does_not_take_its_place_along() {
    let mut history = PlaceHistory::default();
    let mut last = None;
    // Of two lists the one that is full becomes the other.
    for (n_current, n_previous) in [(2, 0), (5, 0), (8, 0), (1, 9), (4, 9), (7, 9)] {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let (one, other) = (heap.object("list"), heap.object("list"));
        let (current, previous) = match n_previous {
            0 => (one, other),
            _ => (other, one),
        };
        heap.attribute(shop, "CURRENT", current);
        heap.attribute(shop, "PREVIOUS", previous);
        for (list, n) in [(current, n_current), (previous, n_previous)] {
            for index in 0..n {
                let row = heap.tracked("shop.Row");
                heap.reference(list, Via::Item(index), row);
            }
        }
        let heap = heap.finish();
        let mut places = Places::of(&heap);
        history.observe(&mut places, f64::from(n_current));
        let first = heap.references_of(current).next().unwrap().1;
        last = Some((places, first));
    }
    let (places, first) = last.unwrap();
    let way = places.way(places.way_of(first).unwrap());
    let counts = history.of(way).unwrap().iter().map(|at| at.n_objects);
    assert_eq!(counts.collect::<Vec<_>>(), [2, 5, 8, 1, 4, 7]);
}

#[test]
fn suspended_functions_of_one_holder_stay_apart() {
    let mut history = PlaceHistory::default();
    let mut last = None;
    for n_waiting in [3, 4, 5] {
        let mut heap = SnapshotBuilder::new();
        let pending = heap.object("list");
        heap.root(RootKind::Modules, pending);
        let codes = [heap.object("code"), heap.object("code")];
        let mut first = None;
        for index in 0..n_waiting + 2 {
            let coroutine = heap.object("coroutine");
            let code = codes[usize::from(index >= 2)];
            heap.reference(coroutine, Via::Attribute("cr_code"), code);
            heap.reference(pending, Via::Item(index), coroutine);
            first = first.or(Some(coroutine));
        }
        let heap = heap.finish();
        let mut places = Places::of(&heap);
        history.observe(&mut places, f64::from(n_waiting));
        last = Some((places, first.unwrap()));
    }
    let (places, first) = last.unwrap();
    let way = places.way(places.way_of(first).unwrap());
    assert_eq!(way.n_objects, 2);
    assert!(history.of(way).is_none(), "there are as many as ever");
}
