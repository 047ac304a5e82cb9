use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::{ObjId, RootKind};

/// What grows when a heap was made of each of these numbers, ten seconds apart.
fn grown(heap_of: impl Fn(u32) -> Snapshot) -> Vec<String> {
    let mut history = PlaceHistory::default();
    let mut last = None;
    for index in 0..6_u32 {
        let snapshot = heap_of(10 + 10 * index);
        let places = Places::of(&snapshot);
        history.observe(&places, f64::from(index) * 10.0);
        last = Some((snapshot, places));
    }
    let (snapshot, places) = last.unwrap();
    let (growing, _) = growing_places(&snapshot, &places, &history);
    growing
        .iter()
        .map(|one| {
            let type_id = places.way(one.ways[0]).type_id;
            snapshot.types[type_id.0 as usize].key()
        })
        .collect()
}

/// `sys.modules` with a module `shop` that has a weak container, and the container's dict.
fn weak_container(heap: &mut SnapshotBuilder, type_name: &str) -> (ObjId, ObjId) {
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let container = heap.tracked(type_name);
    heap.attribute(shop, "SESSIONS", container);
    let data = heap.object("dict");
    heap.attribute(container, "data", data);
    (shop, data)
}

#[test]
fn a_weak_container_does_not_grow_of_itself() {
    let sessions = grown(|n| {
        let mut heap = SnapshotBuilder::new();
        let (shop, data) = weak_container(&mut heap, "weakref.WeakValueDictionary");
        let held = heap.object("list");
        heap.attribute(shop, "HELD", held);
        for index in 0..n {
            let reference = heap.tracked("weakref.KeyedRef");
            heap.entry(data, &format!("session {index}"), reference);
            let session = heap.tracked("shop.Session");
            heap.reference(held, Via::Item(index), session);
        }
        heap.finish()
    });
    assert_eq!(sessions, ["shop.Session"]);
}

#[test]
fn a_weak_container_whose_values_keep_its_keys_grows() {
    let notes = grown(|n| {
        let mut heap = SnapshotBuilder::new();
        let (_, data) = weak_container(&mut heap, "weakref.WeakKeyDictionary");
        for index in 0..n {
            let key = heap.tracked("weakref.ReferenceType");
            heap.reference(data, Via::Key(index), key);
            let note = heap.tracked("shop.Note");
            heap.reference(data, Via::Value(index), note);
        }
        heap.finish()
    });
    assert_eq!(notes, ["shop.Note"]);
}

#[test]
fn the_tables_of_an_abstract_class_do_not_grow_of_themselves() {
    let classes = grown(|n| {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let base = heap.class("shop.Base");
        heap.attribute(shop, "Base", base);
        let subclasses = heap.object("dict");
        heap.reference(base, Via::Internal("subclasses"), subclasses);
        let known = heap.object("_abc._abc_data");
        heap.attribute(base, "_abc_impl", known);
        let cache = heap.object("set");
        heap.reference(known, Via::Unnamed, cache);
        let cached = heap.object("list");
        heap.attribute(shop, "CACHED", cached);
        for index in 0..n {
            let class = heap.tracked("shop.Meta");
            heap.reference(cached, Via::Item(index), class);
            let (one, other) = (
                heap.tracked("weakref.ReferenceType"),
                heap.tracked("weakref"),
            );
            heap.entry(subclasses, &index.to_string(), one);
            heap.reference(cache, Via::Member(index), other);
        }
        heap.finish()
    });
    assert_eq!(classes, ["shop.Meta"]);
}

#[test]
fn a_list_of_weak_references_grows() {
    let references = grown(|n| {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let list = heap.object("list");
        heap.attribute(shop, "CONTEXTS", list);
        for index in 0..n {
            let reference = heap.tracked("weakref.ReferenceType");
            heap.reference(list, Via::Item(index), reference);
        }
        heap.finish()
    });
    assert_eq!(references, ["weakref.ReferenceType"]);
}
