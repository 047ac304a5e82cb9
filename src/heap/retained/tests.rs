use std::collections::BTreeMap;

use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;
use crate::snapshot::{RootKind, TypeId};

/// The bytes that are lost when all objects of a type are not there.
fn brute_force(heap: &Snapshot, tree: &Dominators, gone: TypeId) -> u64 {
    let is_gone = |object: ObjId| heap.objects.type_id[object.0 as usize] == gone;
    let mut left = vec![false; heap.n_objects()];
    let mut queue = crate::dominators::roots(heap);
    while let Some(object) = queue.pop() {
        if !is_gone(object) && !std::mem::replace(&mut left[object.0 as usize], true) {
            queue.extend(heap.references_of(object).map(|(_, target)| target));
        }
    }
    heap.ids()
        .filter(|&object| tree.is_reached(object) && !left[object.0 as usize])
        .map(|object| heap.objects.size_bytes[object.0 as usize])
        .sum()
}

#[test]
fn a_kind_retains_what_its_members_do_and_nothing_twice() {
    let mut random = Random::new(9);
    let mut n_nested = 0;
    for _ in 0..300 {
        let mut heap = random.heap(30, 60);
        heap.types = ["shop.A", "shop.B", "shop.C"]
            .map(|name| crate::snapshot::Type {
                module: "shop".into(),
                qualname: name.trim_start_matches("shop.").into(),
                ..heap.types[0].clone()
            })
            .to_vec();
        for object in 0..heap.n_objects() {
            heap.objects.type_id[object] = TypeId(random.below(3));
            heap.objects.size_bytes[object] = u64::from(random.below(1000));
        }
        let tree = Dominators::of(&heap);
        let found = retained(&heap, &tree, RetainedBy::Type);
        let rows: BTreeMap<&str, &RetainedKind> =
            found.rows.iter().map(|row| (&*row.name, row)).collect();
        for (type_id, of_type) in (0..).map(TypeId).zip(&heap.types) {
            let members: Vec<ObjId> = heap
                .ids()
                .filter(|&object| heap.objects.type_id[object.0 as usize] == type_id)
                .filter(|&object| tree.is_reached(object))
                .collect();
            let outermost = members.iter().filter(|&&one| {
                let is_above = |&other: &ObjId| other != one && tree.dominates(other, one);
                !members.iter().any(is_above)
            });
            let expected: u64 = outermost.map(|&object| tree.retained_bytes(object)).sum();
            let all: u64 = members
                .iter()
                .map(|&object| tree.retained_bytes(object))
                .sum();
            n_nested += usize::from(all > expected);
            let row = rows.get(&*of_type.key());
            assert_eq!(row.map_or(0, |row| row.retained_bytes), expected);
            assert_eq!(row.map_or(0, |row| row.n_objects), members.len() as u64);
            // What two members hold together is lost with both, and retained by neither.
            assert!(expected <= brute_force(&heap, &tree, type_id));
            if let Some(row) = row {
                let largest = members
                    .iter()
                    .map(|&object| tree.retained_bytes(object))
                    .max();
                assert_eq!(Some(row.largest_retained_bytes), largest);
                assert_eq!(tree.retained_bytes(row.largest), row.largest_retained_bytes);
            }
        }
    }
    assert!(n_nested > 100, "{n_nested}");
}

#[test]
fn garbage_is_counted_apart() {
    let mut heap = SnapshotBuilder::new();
    let (held, garbage) = (heap.tracked("shop.Row"), heap.tracked("shop.Row"));
    heap.root(RootKind::Thread, held);
    heap.reference(garbage, Via::Item(0), garbage);
    heap.size(garbage, 1000);
    let heap = heap.finish();
    let found = retained(&heap, &Dominators::of(&heap), RetainedBy::Type);
    assert_eq!((found.n_objects, found.n_garbage), (1, 1));
    assert_eq!((found.size_bytes, found.garbage_bytes), (64, 1000));
    assert_eq!((found.rows.len(), found.rows[0].n_objects), (1, 1));
}

#[test]
fn functions_and_globals_are_of_the_module_that_they_are_in() {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let module = heap.module(modules, "shop.cache");
    let cache = heap.object("dict");
    heap.attribute(module, "CACHE", cache);
    heap.size(cache, 5000);
    let function = heap.object("function");
    heap.attribute(module, "keep", function);
    heap.size(function, 300);
    let finished = heap.clone().finish();
    let globals = crate::attributes::field(&finished, module, "__dict__").expect("it has some");
    heap.reference(function, Via::Attribute("__globals__"), globals);
    let class = heap.class("shop.models.User");
    heap.root(RootKind::Interpreter, class);
    heap.size(class, 900);
    let name = heap.object("str");
    heap.attribute(module, "__name__", name);
    let without_instances = heap.object("type");
    heap.root(RootKind::Interpreter, without_instances);
    heap.size(without_instances, 20_000);
    heap.attribute(without_instances, "__module__", name);
    let heap = heap.finish();
    let tree = Dominators::of(&heap);
    let bytes = |by, name: &str| {
        let rows = retained(&heap, &tree, by).rows;
        let row = rows.into_iter().find(|row| row.name == name);
        row.map_or(0, |row| row.retained_bytes)
    };
    assert_eq!(bytes(RetainedBy::Module, "shop.models"), 900);
    let of_cache = bytes(RetainedBy::Module, "shop.cache");
    assert!((25_300..26_500).contains(&of_cache), "{of_cache}");
    assert_eq!(bytes(RetainedBy::Package, "shop"), of_cache + 900);
}
