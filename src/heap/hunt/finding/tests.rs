use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::hunt::watched::watched;
use crate::inspect::inspect;
use crate::snapshot::RootKind;

/// What is said of heaps made of these numbers, ten seconds apart.
fn judged(numbers: &[u32], heap_of: impl Fn(u32) -> Snapshot) -> PlaceFindings {
    let (snapshot, places, history) = watched(numbers, heap_of);
    judge(&snapshot, &places, &history, &inspect(&snapshot))
}

fn places_of(judged: &PlaceFindings) -> Vec<&str> {
    judged.findings.iter().map(|one| &*one.place).collect()
}

/// `sys.modules` with a module `shop`.
fn shop() -> (SnapshotBuilder, ObjId) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    (heap, shop)
}

/// Adds so many objects to a new container that is an attribute.
fn fill(
    heap: &mut SnapshotBuilder,
    owner: ObjId,
    name: &str,
    [container, entry]: [&str; 2],
    n: u32,
) -> ObjId {
    let container = heap.object(container);
    heap.attribute(owner, name, container);
    for index in 0..n {
        let entry = heap.tracked(entry);
        heap.reference(container, Via::Item(index), entry);
    }
    container
}

#[test]
fn a_leak_has_its_place_rate_and_bytes() {
    let judged = judged(&[10, 15, 20, 25, 30], |n| {
        let (mut heap, shop) = shop();
        fill(&mut heap, shop, "ORDERS", ["list", "shop.Order"], n);
        heap.finish()
    });
    let [found] = &judged.findings[..] else {
        panic!("{judged:?}");
    };
    assert_eq!(found.place, "shop.ORDERS");
    assert_eq!(found.path, "sys.modules['shop'].ORDERS[*]");
    assert_eq!((&*found.holder_type, &*found.package), ("list", "shop"));
    let held = Held {
        type_key: "shop.Order".into(),
        is_key: false,
        n_first: 10,
        n_last: 30,
    };
    assert_eq!(found.holds, [held]);
    assert_eq!(found.rate.per_second, 0.5);
    assert_eq!(found.bytes_rate.per_second, 32.0);
    assert_eq!(found.exclusive_bytes, 30 * 64);
    assert_eq!((found.n_rises, found.n_intervals), (4, 4));
    assert!(found.values.is_sorted_by(|one, next| one < next) && found.values.len() == 5);
    assert!(found.module.is_some());
    assert_eq!(
        found.why,
        "grew in 4 of 4 intervals; never fewer than at the look before"
    );
}

#[test]
fn a_container_that_is_bounded_is_no_leak_while_it_fills() {
    let filling = |bound: Option<u64>| {
        judged(&[10, 20, 30, 40, 50], |n| {
            let (mut heap, shop) = shop();
            let recent = fill(
                &mut heap,
                shop,
                "RECENT",
                ["collections.deque", "shop.Hit"],
                n,
            );
            if let Some(bound) = bound {
                heap.state(recent, ObjectState::Bounded(bound));
            }
            heap.finish()
        })
    };
    let bounded = filling(Some(1000));
    assert_eq!(bounded.findings, []);
    assert_eq!(bounded.unclear.len(), 1);
    assert_eq!(bounded.unclear[0].place, "shop.RECENT");
    assert_eq!(bounded.unclear[0].bound, Some(1000));
    assert_eq!(places_of(&filling(None)), ["shop.RECENT"]);
    let full = filling(Some(50));
    assert_eq!((full.findings, full.unclear), (vec![], vec![]));
}

#[test]
fn what_is_in_a_bounded_container_has_no_bound_of_its_own() {
    for outer in ["collections.deque", "functools._lru_cache_wrapper"] {
        let judged = judged(&[10, 20, 30, 40, 50], |n| {
            let (mut heap, shop) = shop();
            let bounded = heap.object(outer);
            heap.attribute(shop, "BOUNDED", bounded);
            heap.state(bounded, ObjectState::Bounded(1000));
            let rows = heap.object("list");
            heap.reference(bounded, Via::Item(0), rows);
            for index in 0..n {
                let row = heap.tracked("shop.Row");
                heap.reference(rows, Via::Item(index), row);
            }
            heap.finish()
        });
        assert_eq!(judged.findings.len(), 1, "{outer}");
    }
}

#[test]
fn what_c_keeps_for_itself_and_clears_now_and_then_is_no_leak() {
    let weak_references_of = |connection: &str, n_first: u32| {
        judged(&[10, 20, 30, 40, 50], |n| {
            let (mut heap, shop) = shop();
            let connection = heap.object(connection);
            heap.attribute(shop, "DB", connection);
            let cursors = heap.object("list");
            heap.reference(connection, Via::Unnamed, cursors);
            for index in 0..n + n_first {
                let weak = heap.tracked("weakref.ReferenceType");
                heap.reference(cursors, Via::Item(index), weak);
            }
            heap.finish()
        })
    };
    let sqlite = weak_references_of("sqlite3.Connection", 0);
    assert_eq!(sqlite.findings, []);
    assert_eq!(sqlite.unclear[0].bound, Some(329));
    assert_eq!(
        weak_references_of("sqlite3.Connection", 300).findings.len(),
        1
    );
    assert_eq!(weak_references_of("shop.Connection", 0).findings.len(), 1);
}

#[test]
fn what_gives_back_most_comes_first() {
    let judged = judged(&[10, 20, 30, 40, 50], |n| {
        let (mut heap, shop) = shop();
        fill(&mut heap, shop, "MANY", ["list", "shop.Small"], n * 3);
        let large = fill(&mut heap, shop, "LARGE", ["list", "shop.Page"], 0);
        for index in 0..n {
            let page = heap.tracked("shop.Page");
            heap.reference(large, Via::Item(index), page);
            let text = heap.object("str");
            heap.size(text, 5_000);
            heap.reference(page, Via::Attribute("text"), text);
        }
        heap.finish()
    });
    assert_eq!(places_of(&judged), ["shop.LARGE", "shop.MANY"]);
    assert_eq!(judged.findings[0].share_bytes, 50 * 5_064);
}

#[test]
fn weak_references_come_after_what_keeps_their_objects() {
    let judged = judged(&[10, 20, 30, 40, 50], |n| {
        let (mut heap, shop) = shop();
        fill(&mut heap, shop, "WEAK", ["list", "weakref.KeyedRef"], n * 9);
        fill(&mut heap, shop, "PINNED", ["list", "shop.Observer"], n);
        heap.finish()
    });
    assert_eq!(places_of(&judged), ["shop.PINNED", "shop.WEAK"]);
}

#[test]
fn a_leak_in_each_of_many_objects_is_one_with_a_star() {
    let judged = judged(&[2, 4, 6, 8, 10], |n| {
        let (mut heap, shop) = shop();
        let sessions = fill(&mut heap, shop, "SESSIONS", ["list", "shop.Session"], 0);
        for index in 0..4 {
            let session = heap.tracked("shop.Session");
            heap.reference(sessions, Via::Item(index), session);
            fill(&mut heap, session, "log", ["list", "shop.Line"], n);
        }
        heap.finish()
    });
    assert_eq!(places_of(&judged), ["shop.SESSIONS[*].log"]);
    let path = &judged.findings[0].path;
    assert_eq!(path, "sys.modules['shop'].SESSIONS[*].log[*]");
    assert_eq!(judged.findings[0].holds[0].n_last, 40);
}

#[test]
fn what_should_be_gone_is_a_reason() {
    let judged = judged(&[10, 20, 30, 40, 50], |n| {
        let (mut heap, shop) = shop();
        let jobs = heap.object("list");
        heap.attribute(shop, "JOBS", jobs);
        for index in 0..n {
            let task = heap.tracked("_asyncio.Task");
            heap.state(task, ObjectState::Finished);
            heap.reference(jobs, Via::Item(index), task);
        }
        heap.finish()
    });
    let why = &judged.findings[0].why;
    assert!(why.contains("these should be gone"), "{why}");
}

#[test]
fn the_same_leak_has_the_same_fingerprint_however_far_it_is() {
    let fingerprint = |numbers: &[u32], name: &str| {
        let judged = judged(numbers, |n| {
            let (mut heap, shop) = shop();
            heap.skip(u64::from(n) << 12);
            fill(&mut heap, shop, name, ["list", "shop.Order"], n);
            heap.finish()
        });
        judged.findings[0].fingerprint
    };
    let early = fingerprint(&[1, 2, 3, 4], "ORDERS");
    assert_eq!(early, fingerprint(&[100, 200, 300, 400, 500], "ORDERS"));
    assert_ne!(early, fingerprint(&[1, 2, 3, 4], "INVOICES"));
}

#[test]
fn many_classes_of_one_name_are_told_of_once() {
    let judged = judged(&[3, 6, 9, 12], |n| {
        let (mut heap, shop) = shop();
        let rows = heap.object("list");
        heap.attribute(shop, "ROWS", rows);
        for index in 0..n {
            let row = heap.tracked(&format!("shop.{index}"));
            heap.reference(rows, Via::Item(index), row);
        }
        let mut heap = heap.finish();
        for of_type in heap.types.iter_mut().filter(|one| one.module == "shop") {
            of_type.qualname = "Row".into();
        }
        heap
    });
    assert_eq!(places_of(&judged), ["shop.ROWS"]);
    let holds = &judged.findings[0].holds;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!((holds[0].n_first, holds[0].n_last), (3, 12));
}

/// What a test's session keeps is the session's, though a module of the program leads there.
#[test]
fn a_place_is_owned_by_the_nearest_class_of_the_program() {
    let judged = judged(&[10, 15, 20, 25, 30], |n| {
        let (mut heap, shop) = shop();
        let session = heap.tracked("runner.main.Session");
        heap.attribute(shop, "loader", session);
        let logger = heap.tracked("logging.Logger");
        heap.reference(session, Via::Attribute("logger"), logger);
        let list = heap.object("list");
        heap.reference(logger, Via::Attribute("records"), list);
        for index in 0..n {
            let entry = heap.tracked("shop.Order");
            heap.reference(list, Via::Item(index), entry);
        }
        fill(&mut heap, shop, "ORDERS", ["list", "shop.Order"], n);
        heap.finish()
    });
    let mut owners: Vec<(&str, &str)> = judged
        .findings
        .iter()
        .map(|one| (&*one.place, &*one.owner_type))
        .collect();
    owners.sort_unstable();
    let of_session = ("shop.loader.logger.records", "runner.main.Session");
    assert_eq!(owners, [("shop.ORDERS", ""), of_session]);
}
