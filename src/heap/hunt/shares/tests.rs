use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::hunt::{PlaceHistory, growing_places};
use crate::snapshot::RootKind;

/// A heap in which two registries hold `n` objects each, every second of them in common, and each
/// object holds a text of its own.
fn heap(n: u32) -> Snapshot {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let (one, other) = (heap.object("list"), heap.object("list"));
    heap.attribute(shop, "ONE", one);
    heap.attribute(shop, "OTHER", other);
    let settings = heap.object("list");
    heap.attribute(shop, "SETTINGS", settings);
    let mut places = [0, 0];
    let mut hold = |heap: &mut SnapshotBuilder, which: usize, object| {
        heap.reference([one, other][which], Via::Item(places[which]), object);
        places[which] += 1;
    };
    for index in 0..n {
        let common = heap.tracked("shop.Common");
        heap.reference(common, Via::Attribute("settings"), settings);
        hold(&mut heap, 0, common);
        hold(&mut heap, 1, common);
        let own = heap.tracked("shop.Own");
        let text = heap.object("str");
        heap.reference(own, Via::Attribute("text"), text);
        hold(&mut heap, index as usize % 2, own);
    }
    heap.finish()
}

fn shares(counts: &[u32]) -> (Vec<Growing>, Vec<Share>) {
    let mut history = PlaceHistory::default();
    let mut last = None;
    for (&n, index) in counts.iter().zip(0_u32..) {
        let snapshot = heap(n);
        let places = Places::of(&snapshot);
        history.observe(&places, f64::from(index) * 10.0);
        last = Some((snapshot, places));
    }
    let (snapshot, places) = last.unwrap();
    let (growing, _) = growing_places(&snapshot, &places, &history);
    let shares = leak_shares(&snapshot, &places, &growing);
    (growing, shares)
}

#[test]
fn what_two_places_hold_falls_to_each_by_half() {
    // Each gains by its own measure, so that they stay two.
    let (growing, shares) = shares(&[10, 20, 40, 50, 90, 100]);
    assert_eq!(growing.len(), 2);
    let all: u64 = shares.iter().map(|share| share.share_bytes).sum();
    // 100 in common, and 100 with a text each.
    assert_eq!(all, 300 * 64);
    for share in &shares {
        if shares.len() == 2 {
            assert_eq!(share.share_bytes, 150 * 64);
            assert_eq!(share.exclusive_bytes, 100 * 64);
            assert_eq!(share.exclusive_objects, 100);
        } else {
            assert_eq!(share.exclusive_bytes, 300 * 64);
        }
    }
}
