use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::hunt::watched::watched;
use crate::random::Random;
use crate::snapshot::{ObjId, RootKind};

/// What grows at the last of several looks, ten seconds apart.
struct Seen {
    snapshot: Snapshot,
    places: Places,
    growing: Vec<Growing>,
    unclear: Vec<Unclear>,
}

impl Seen {
    /// A heap of each of these numbers.
    fn at(numbers: &[u32], heap_of: impl Fn(u32) -> Snapshot) -> Self {
        let (snapshot, places, history) = watched(numbers, heap_of);
        let (growing, unclear) = growing_places(&snapshot, &places, &history);
        Self {
            snapshot,
            places,
            growing,
            unclear,
        }
    }

    fn key(&self, way: WayId) -> String {
        let type_id = self.places.way(way).type_id;
        self.snapshot.types[type_id.0 as usize].key()
    }

    /// Of each place that grows the type that names the growth.
    fn types(&self) -> Vec<String> {
        let first = self.growing.iter().map(|one| one.ways[0]);
        first.map(|way| self.key(way)).collect()
    }
}

/// The types of what grows when a heap was made of ever larger numbers.
fn grown(heap_of: impl Fn(u32) -> Snapshot) -> Vec<String> {
    Seen::at(&[10, 20, 30, 40, 50, 60], heap_of).types()
}

/// `sys.modules` with a module `shop`.
fn shop() -> (SnapshotBuilder, ObjId) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    (heap, shop)
}

/// Adds so many objects to a new list that is an attribute.
fn fill(heap: &mut SnapshotBuilder, owner: ObjId, name: &str, type_name: &str, n: u32) {
    let list = heap.object("list");
    heap.attribute(owner, name, list);
    for index in 0..n {
        let entry = heap.tracked(type_name);
        heap.reference(list, Via::Item(index), entry);
    }
}

#[test]
fn of_places_in_places_the_highest_is_named() {
    let seen = Seen::at(&[2, 4, 6, 8, 10], |n| {
        let (mut heap, shop) = shop();
        let orders = heap.object("list");
        heap.attribute(shop, "ORDERS", orders);
        for index in 0..n {
            let order = heap.tracked("shop.Order");
            heap.reference(orders, Via::Item(index), order);
            // Grows faster, but because of the orders.
            fill(&mut heap, order, "lines", "shop.Line", index * 3);
        }
        heap.finish()
    });
    assert_eq!(seen.types(), ["shop.Order"]);
    assert_eq!(seen.growing[0].values, [2, 4, 6, 8, 10]);
    let all = seen.growing[0].bytes.last().unwrap();
    // An order with its dict, the name there, the list; and 0 + 3 + … + 27 lines.
    assert_eq!(*all, (10 * 4 + 135) * 64, "with all below");
}

#[test]
fn types_that_grow_at_one_place_are_one_finding_named_after_the_rarest() {
    let seen = Seen::at(&[2, 4, 6, 8, 10], |n| {
        let (mut heap, shop) = shop();
        let log = heap.object("list");
        heap.attribute(shop, "LOG", log);
        for index in 0..n * 3 {
            let name = match index % 3 {
                0 => "shop.Session",
                1 => "str",
                _ => "shop.Event",
            };
            let entry = heap.tracked(name);
            heap.reference(log, Via::Item(index), entry);
            if index % 3 == 2 {
                let more = heap.tracked("shop.Event");
                heap.reference(log, Via::Item(n * 3 + index), more);
            }
        }
        heap.finish()
    });
    assert_eq!(seen.growing.len(), 1);
    let types: Vec<String> = seen.growing[0]
        .ways
        .iter()
        .map(|&way| seen.key(way))
        .collect();
    assert_eq!(types, ["shop.Session", "shop.Event", "str"]);
}

#[test]
fn values_say_more_than_their_keys() {
    let counts = grown(|n| {
        let (mut heap, shop) = shop();
        let hits = heap.object("dict");
        heap.attribute(shop, "HITS", hits);
        for index in 0..n {
            let number = heap.object("int");
            heap.entry(hits, &format!("page {index}"), number);
        }
        heap.finish()
    });
    assert_eq!(counts, ["int"]);
}

#[test]
fn more_references_to_what_is_there_anyway_are_growth() {
    let seen = Seen::at(&[10, 20, 30, 40, 50], |n| {
        let (mut heap, shop) = shop();
        let votes = heap.object("list");
        heap.attribute(shop, "VOTES", votes);
        let none = heap.object("NoneType");
        heap.root(RootKind::Builtins, none);
        for index in 0..n {
            heap.reference(votes, Via::Item(index), none);
        }
        heap.finish()
    });
    assert_eq!(seen.types(), ["list"]);
    assert_eq!(seen.growing[0].of, GrowthOf::References);
    assert_eq!(seen.growing[0].values, [10, 20, 30, 40, 50]);
}

fn buffer_of(bytes: impl Fn(u32) -> u64) -> Seen {
    sized("bytearray", bytes)
}

/// An object whose size at each of six looks is given.
fn sized(type_name: &str, bytes: impl Fn(u32) -> u64) -> Seen {
    Seen::at(&[0, 1, 2, 3, 4, 5], |look| {
        let (mut heap, shop) = shop();
        let buffer = heap.object(type_name);
        heap.attribute(shop, "BUFFER", buffer);
        heap.size(buffer, bytes(look));
        heap.finish()
    })
}

#[test]
fn one_object_that_is_larger_and_larger_is_growth() {
    let seen = buffer_of(|look| 1000 + u64::from(look) * 10_000);
    assert_eq!(seen.types(), ["bytearray"]);
    assert_eq!(seen.growing[0].of, GrowthOf::Bytes);
    // Made room ahead of need, as lists and buffers do.
    let in_steps = [1_000, 9_000, 9_000, 17_000, 17_000, 33_000];
    let seen = buffer_of(|look| in_steps[look as usize]);
    assert_eq!(seen.types(), ["bytearray"]);
}

#[test]
fn more_room_for_entries_that_come_and_go_is_no_growth() {
    for collection in ["dict", "list", "set", "collections.deque"] {
        let seen = sized(collection, |look| 1000 + u64::from(look) * 10_000);
        assert_eq!(seen.types(), [] as [&str; 0], "{collection}");
    }
}

#[test]
fn some_bytes_are_no_growth() {
    let seen = buffer_of(|look| 1000 + u64::from(look) * 800);
    assert_eq!(seen.types(), [] as [&str; 0]);
    let once = [1_000, 90_000, 90_000, 90_000, 90_000, 90_000];
    let seen = buffer_of(|look| once[look as usize]);
    assert_eq!(seen.types(), [] as [&str; 0]);
}

#[test]
fn one_kept_of_a_thousand_made_is_found_in_the_churn() {
    let mut random = Random::new(3);
    let in_work: Vec<u32> = (0..9).map(|_| 500 + random.below(1000)).collect();
    let looks: Vec<u32> = (0..9).collect();
    let seen = Seen::at(&looks, |look| {
        let (mut heap, shop) = shop();
        fill(&mut heap, shop, "QUEUE", "shop.Job", in_work[look as usize]);
        fill(&mut heap, shop, "KEPT", "shop.Job", 5 + look);
        heap.finish()
    });
    assert_eq!(seen.types(), ["shop.Job"]);
    assert_eq!(seen.growing[0].values, [5, 6, 7, 8, 9, 10, 11, 12, 13]);
}

#[test]
fn a_queue_that_fluctuates_does_not_grow() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let waiting: Vec<u32> = (0..9).map(|_| random.below(1000)).collect();
        let seen = Seen::at(&waiting, |n| {
            let (mut heap, shop) = shop();
            fill(&mut heap, shop, "QUEUE", "shop.Job", n);
            heap.finish()
        });
        assert_eq!(seen.types(), [] as [&str; 0], "{waiting:?}");
    }
}

#[test]
fn a_cache_that_fills_and_stops_does_not_grow() {
    let cache_of = |sizes: &[u32]| {
        Seen::at(sizes, |n| {
            let (mut heap, shop) = shop();
            fill(&mut heap, shop, "CACHE", "shop.Page", n);
            heap.finish()
        })
    };
    let full = cache_of(&[40, 80, 100, 100, 100, 100, 100]);
    assert_eq!((full.growing.len(), full.unclear.len()), (0, 0));
    let filling = cache_of(&[0, 500, 750, 875, 937, 968, 984, 992]);
    assert_eq!((filling.growing.len(), filling.unclear.len()), (0, 1));
    assert_eq!(filling.unclear[0].trend.course, Course::Slows);
}

#[test]
fn instances_of_a_class_that_is_made_anew_each_time_grow() {
    let seen = Seen::at(&[3, 6, 9, 12, 15], |n| {
        let (mut heap, shop) = shop();
        let rows = heap.object("list");
        heap.attribute(shop, "ROWS", rows);
        for index in 0..n {
            let row = heap.tracked(&format!("shop.{index}"));
            heap.reference(rows, Via::Item(index), row);
        }
        let mut heap = heap.finish();
        for of_type in heap.types.iter_mut().filter(|one| one.module == "shop") {
            of_type.qualname = "query.<locals>.Row".into();
            of_type.name = "Row".into();
        }
        heap
    });
    assert_eq!(seen.types(), ["shop.query.<locals>.Row"]);
    assert_eq!(seen.growing[0].values, [3, 6, 9, 12, 15]);
    assert_eq!(*seen.growing[0].bytes.last().unwrap(), 15 * 64);
}

/// Gives a module a weak container; answers the container's dict.
fn weak_container(heap: &mut SnapshotBuilder, shop: ObjId, type_name: &str) -> ObjId {
    let container = heap.tracked(type_name);
    heap.attribute(shop, "SESSIONS", container);
    let data = heap.object("dict");
    heap.attribute(container, "data", data);
    data
}

#[test]
fn a_weak_container_does_not_grow_of_itself() {
    let sessions = grown(|n| {
        let (mut heap, shop) = shop();
        let data = weak_container(&mut heap, shop, "weakref.WeakValueDictionary");
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
        let (mut heap, shop) = shop();
        let data = weak_container(&mut heap, shop, "weakref.WeakKeyDictionary");
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
        let (mut heap, shop) = shop();
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
        let (mut heap, shop) = shop();
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

#[test]
fn a_registry_of_objects_of_its_owners_class_is_what_grows_and_not_what_each_holds() {
    let heap_of = |number: u32| {
        let (mut heap, shop) = shop();
        heap.flags("shop.Metric", TypeFlags::PYTHON);
        let metric = heap.tracked("shop.Metric");
        heap.attribute(shop, "REQUESTS", metric);
        let children = heap.object("dict");
        heap.attribute(metric, "children", children);
        for index in 0..number {
            let child = heap.tracked("shop.Metric");
            heap.entry(children, &format!("label {index}"), child);
            let value = heap.tracked("shop.Value");
            heap.attribute(child, "value", value);
        }
        heap.finish()
    };
    let seen = Seen::at(&[10, 20, 30, 40, 50, 60], heap_of);
    assert_eq!(seen.types(), ["shop.Metric"]);
    let names = crate::hunt::name_places(&seen.snapshot, &seen.places, &seen.growing);
    let name = names[0].as_ref().unwrap();
    assert_eq!(name.place, "shop.REQUESTS.children");
    assert_eq!(name.expression, "sys.modules['shop'].REQUESTS.children[*]");
}

#[test]
fn what_may_grow_is_told_once_and_not_for_one_object_more() {
    let heap_of = |number: u32| {
        let (mut heap, shop) = shop();
        let rows = heap.object("list");
        heap.attribute(shop, "ROWS", rows);
        for index in 0..number {
            let row = heap.tracked("shop.Row");
            heap.reference(rows, Via::Item(index), row);
            let cells = heap.tracked("shop.Cell");
            heap.reference(row, Via::Attribute("cell"), cells);
        }
        heap.finish()
    };
    let unclear = |numbers: &[u32]| {
        let seen = Seen::at(numbers, heap_of);
        let ways = seen.unclear.iter().map(|one| seen.key(one.way));
        ways.collect::<Vec<_>>()
    };
    assert_eq!(unclear(&[10, 14, 11, 19, 15, 16]), ["shop.Row"]);
    assert!(unclear(&[10, 12, 10, 11, 9, 11]).is_empty());
    assert!(unclear(&[0, 5, 0, 10, 0, 5]).is_empty(), "it goes again");
    assert_eq!(unclear(&[50, 40, 45, 49, 60, 70, 65]), ["shop.Row"]);
}

#[test]
fn a_link_that_is_an_attribute_in_a_dict_is_no_entry() {
    let heap_of = |number: u32| {
        let (mut heap, shop) = shop();
        heap.flags("shop.State", TypeFlags::PYTHON);
        let mut link = heap.tracked("shop.State");
        heap.attribute(shop, "STATE", link);
        for _ in 0..number {
            let before = heap.tracked("shop.State");
            heap.attribute(link, "before", before);
            link = before;
        }
        heap.finish()
    };
    let seen = Seen::at(&[10, 20, 30, 40, 50, 60], heap_of);
    let names = crate::hunt::name_places(&seen.snapshot, &seen.places, &seen.growing);
    let name = names[0].as_ref().unwrap();
    assert_eq!(name.expression, "sys.modules['shop'].STATE.before");
}

/// Classes that a list keeps, and `n_references` weak references in a dict that nothing refers to.
fn with_a_table_in_the_interpreter(n_classes: u32, n_references: u32) -> Snapshot {
    let (mut heap, shop) = shop();
    heap.flags("type", TypeFlags::TYPE);
    fill(&mut heap, shop, "MODELS", "type", n_classes);
    let table = heap.object("dict");
    heap.count(table, 1);
    for index in 0..n_references {
        let (number, reference) = (heap.object("int"), heap.tracked("weakref.ReferenceType"));
        heap.reference(table, Via::Key(index), number);
        heap.reference(table, Via::Value(index), reference);
    }
    heap.finish()
}

#[test]
fn the_table_of_subclasses_of_a_static_class_does_not_grow_of_itself() {
    assert_eq!(
        grown(|n| with_a_table_in_the_interpreter(n + 5, n)),
        ["type"]
    );
}

#[test]
fn more_weak_references_in_a_dict_of_native_code_than_there_are_classes_are_no_table_of_subclasses()
{
    assert_eq!(
        grown(|n| with_a_table_in_the_interpreter(5, n)),
        ["weakref.ReferenceType"]
    );
}

#[test]
fn a_table_of_subclasses_is_not_what_may_grow_either() {
    let seen = Seen::at(&[10, 14, 11, 19, 15, 16], |n| {
        let (mut heap, shop) = shop();
        let base = heap.class("shop.Base");
        heap.attribute(shop, "Base", base);
        let subclasses = heap.object("dict");
        heap.reference(base, Via::Internal("subclasses"), subclasses);
        for index in 0..n {
            let reference = heap.tracked("weakref.ReferenceType");
            heap.entry(subclasses, &index.to_string(), reference);
        }
        heap.finish()
    });
    assert!(seen.unclear.is_empty());
}

#[test]
fn what_a_thread_has_of_each_thread_local_does_not_grow_of_itself() {
    let handlers = grown(|n| {
        let (mut heap, shop) = shop();
        fill(&mut heap, shop, "HANDLERS", "shop.Handler", n);
        let of_thread = heap.object("dict");
        heap.named_root(RootKind::Thread, of_thread, 7, "dict");
        for index in 0..n {
            let dummy = heap.object("_thread._localdummy");
            heap.entry(of_thread, &format!("thread.local.{index}"), dummy);
        }
        heap.finish()
    });
    assert_eq!(handlers, ["shop.Handler"]);
}
