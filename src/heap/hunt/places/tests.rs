use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;

/// `sys.modules` with a module `shop`.
fn shop() -> (SnapshotBuilder, ObjId) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    (heap, shop)
}

fn way_to(places: &Places, object: ObjId) -> &Way {
    places.way(places.way_of(object).unwrap())
}

#[test]
fn the_entries_of_a_collection_are_one_place() {
    let (mut heap, shop) = shop();
    let cache = heap.object("dict");
    heap.attribute(shop, "CACHE", cache);
    let entries: Vec<ObjId> = (0..5)
        .map(|index| {
            let entry = heap.tracked("shop.Entry");
            heap.entry(cache, &format!("key {index}"), entry);
            entry
        })
        .collect();
    let heap = heap.finish();
    let places = Places::of(&heap);
    let ways: Vec<_> = entries.iter().map(|&entry| places.way_of(entry)).collect();
    assert!(ways.windows(2).all(|pair| pair[0] == pair[1]), "{ways:?}");
    let way = way_to(&places, entries[0]);
    assert_eq!(way.n_objects, 5);
    assert_eq!(way.own_bytes, 5 * 64);
    assert_eq!(way.from, places.way_of(cache));
    // With the keys.
    assert_eq!(way_to(&places, cache).total_bytes, 11 * 64);
}

#[test]
fn attributes_are_places_of_their_own_and_a_dict_is_a_part_of_its_owner() {
    let (mut heap, shop) = shop();
    let (one, other) = (heap.object("list"), heap.object("list"));
    heap.attribute(shop, "ONE", one);
    heap.attribute(shop, "OTHER", other);
    let heap = heap.finish();
    let places = Places::of(&heap);
    assert_ne!(places.way_of(one), places.way_of(other));
    assert_eq!(way_to(&places, one).from, places.way_of(shop));
    // The module, its dict and two names.
    assert_eq!(way_to(&places, shop).own_bytes, 4 * 64);
}

#[test]
fn the_key_of_a_place_is_the_same_however_many_objects_there_are() {
    let keys = |n_entries: u32, gap: u64| {
        let (mut heap, shop) = shop();
        heap.skip(gap);
        let list = heap.object("list");
        heap.attribute(shop, "LIST", list);
        let mut last = None;
        for index in 0..n_entries {
            let entry = heap.tracked("shop.Entry");
            heap.reference(list, Via::Item(index), entry);
            last = Some(entry);
        }
        let heap = heap.finish();
        way_to(&Places::of(&heap), last.unwrap()).key
    };
    assert_eq!(keys(1, 0), keys(40, 1 << 20));
}

#[test]
fn the_links_of_a_chain_and_the_nodes_of_a_tree_are_one_place() {
    let (mut heap, shop) = shop();
    let mut nodes = vec![heap.tracked("shop.Node")];
    heap.attribute(shop, "HEAD", nodes[0]);
    for index in 1..1000 {
        let node = heap.tracked("shop.Node");
        let name = if index % 3 == 0 { "left" } else { "next" };
        heap.reference(nodes[index - 1], Via::Attribute(name), node);
        nodes.push(node);
    }
    let mut inner = heap.object("tuple");
    heap.attribute(shop, "NESTED", inner);
    let n_tuples = 500;
    for _ in 0..n_tuples {
        let tuple = heap.object("tuple");
        heap.reference(inner, Via::Item(0), tuple);
        inner = tuple;
    }
    let heap = heap.finish();
    let places = Places::of(&heap);
    let of_nodes: Vec<_> = places
        .ways()
        .filter(|(_, way)| heap.types[way.type_id.0 as usize].qualname == "Node")
        .collect();
    assert_eq!(of_nodes.len(), 3, "head, next, left");
    assert!(of_nodes.iter().all(|(_, way)| way.to == of_nodes[0].0));
    let sum: u32 = of_nodes.iter().map(|(_, way)| way.n_objects).sum();
    assert_eq!(sum, 1000);
    let n_tuple_places = places
        .ways()
        .filter(|(_, way)| heap.types[way.type_id.0 as usize].qualname == "tuple")
        .count();
    assert!(n_tuple_places < 10, "{n_tuple_places}");
}

#[test]
fn each_object_that_is_reached_is_in_one_place_and_all_bytes_are_in_the_roots_totals() {
    let mut random = Random::new(7);
    for _ in 0..200 {
        let heap = random.heap(40, 90);
        let places = Places::of(&heap);
        let paths = Paths::find(&heap);
        let mut n_objects = 0;
        let mut bytes = 0;
        for object in heap.ids() {
            assert_eq!(places.way_of(object).is_some(), paths.is_reached(object));
            if paths.is_reached(object) {
                n_objects += 1;
                bytes += heap.objects.size_bytes[object.0 as usize];
            }
        }
        let sum: u32 = places.ways().map(|(_, way)| way.n_objects).sum();
        assert_eq!(sum, n_objects);
        let of_roots = places.ways().filter(|(_, way)| way.from.is_none());
        let total: u64 = of_roots.map(|(_, way)| way.total_bytes).sum();
        assert_eq!(total, bytes);
    }
}

#[test]
fn an_event_loop_is_at_the_same_place_while_a_task_runs() {
    let key = |runs: bool| {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let asyncio = heap.module(modules, "_asyncio");
        let current = heap.object("dict");
        heap.attribute(asyncio, "_current_tasks", current);
        let events = heap.module(modules, "asyncio.events");
        let policy = heap.tracked("asyncio.events.Policy");
        heap.attribute(events, "_event_loop_policy", policy);
        let local = heap.object("dict");
        heap.attribute(policy, "_local", local);
        let (event_loop, task) = (heap.tracked("asyncio.Loop"), heap.tracked("_asyncio.Task"));
        heap.entry(local, "_loop", event_loop);
        if runs {
            heap.reference(current, Via::Key(0), event_loop);
            heap.reference(current, Via::Value(0), task);
        }
        let heap = heap.finish();
        let places = Places::of(&heap);
        assert_eq!(
            places.way_of(task).is_some(),
            runs,
            "what nothing else holds is found"
        );
        way_to(&places, event_loop).key
    };
    assert_eq!(key(true), key(false));
}

#[test]
fn what_a_task_runs_is_one_place_whatever_the_task_waits_for() {
    let key = |waits_for: &str| {
        let (mut heap, shop) = shop();
        let waiters = heap.object("list");
        heap.attribute(shop, waits_for, waiters);
        let task = heap.object("_asyncio.Task");
        heap.reference(waiters, Via::Item(0), task);
        let coroutine = heap.object("coroutine");
        heap.reference(task, Via::Attribute("_coro"), coroutine);
        let code = heap.object("code");
        heap.reference(coroutine, Via::Attribute("cr_code"), code);
        let rows = heap.object("list");
        heap.reference(coroutine, Via::Local("rows"), rows);
        let heap = heap.finish();
        let places = Places::of(&heap);
        (way_to(&places, task).key, way_to(&places, rows).key)
    };
    let (of_event, of_lock) = (key("EVENT"), key("LOCKS"));
    assert_ne!(of_event.0, of_lock.0);
    assert_eq!(of_event.1, of_lock.1);
}

#[test]
fn a_place_is_the_same_whether_a_frame_that_does_not_last_leads_there_or_not() {
    let key = |is_asked: bool| {
        let mut heap = SnapshotBuilder::new();
        let request = is_asked.then(|| heap.frame("request"));
        let main = heap.frame("main");
        let (app, trail) = (heap.object("shop.App"), heap.object("list"));
        heap.reference(main, Via::Local("app"), app);
        heap.attribute(app, "trail", trail);
        let row = heap.object("shop.Row");
        heap.reference(trail, Via::Item(0), row);
        if let Some(request) = request {
            heap.reference(request, Via::Local("trail"), trail);
        }
        let heap = heap.finish();
        way_to(&Places::of(&heap), row).key
    };
    assert_eq!(key(false), key(true));
}
