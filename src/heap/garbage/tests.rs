use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;
use crate::snapshot::RootKind;
use leakhunt_wire::TypeFlags;

fn look(heap: &Snapshot) -> GarbageLook {
    GarbageLook::of(heap, &Reached::from_roots(heap))
}

/// `to[a][b]`: whether a way of one reference or more leads from a to b.
fn ways(heap: &Snapshot) -> Vec<Vec<bool>> {
    let n = heap.n_objects();
    let mut to = vec![vec![false; n]; n];
    for from in heap.ids() {
        for (_, target) in heap.references_of(from) {
            to[from.0 as usize][target.0 as usize] = true;
        }
    }
    for middle in 0..n {
        for from in 0..n {
            if to[from][middle] {
                let further = to[middle].clone();
                for (is_led, leads) in to[from].iter_mut().zip(further) {
                    *is_led |= leads;
                }
            }
        }
    }
    to
}

#[test]
fn cycles_are_those_that_brute_force_finds() {
    let mut random = Random::new(11);
    let (mut n_cycles, mut n_larger) = (0, 0);
    for _ in 0..300 {
        let heap = random.heap(24, 48);
        let reached = Reached::from_roots(&heap);
        let garbage: Vec<usize> = heap
            .ids()
            .filter(|&object| !reached.contains(object))
            .map(|object| object.0 as usize)
            .collect();
        let to = ways(&heap);
        let components = Components::of(&heap, &reached);
        let component = |object: usize| components.of_object(ObjId(object as u32));
        for object in 0..heap.n_objects() {
            assert_eq!(component(object).is_some(), garbage.contains(&object));
        }
        for &one in &garbage {
            for &other in &garbage {
                let together = one == other || to[one][other] && to[other][one];
                assert_eq!(
                    component(one) == component(other),
                    together,
                    "{one} {other}"
                );
                // What is referred to has the lower number.
                assert!(!to[one][other] || component(other) <= component(one));
            }
        }
        let mut rings: Vec<Vec<usize>> = garbage
            .iter()
            .filter(|&&one| to[one][one])
            .map(|&one| {
                let ring = garbage
                    .iter()
                    .filter(|&&other| to[one][other] && to[other][one]);
                ring.copied().collect()
            })
            .collect();
        rings.sort();
        rings.dedup();
        let look = look(&heap);
        assert_eq!(look.n_cycles, rings.len() as u64);
        assert_eq!(look.n_objects, garbage.len() as u64);
        let in_rings: usize = rings.iter().map(Vec::len).sum();
        let n_objects: u64 = look.groups.iter().map(|group| group.n_objects).sum();
        assert_eq!(n_objects, in_rings as u64);
        let held = garbage
            .iter()
            .filter(|&&object| {
                rings
                    .iter()
                    .flatten()
                    .any(|&one| one == object || to[one][object])
            })
            .count();
        let n_held: u64 = look.groups.iter().map(|group| group.n_held).sum();
        assert_eq!(n_held, held as u64);
        n_cycles += rings.len();
        n_larger += rings.iter().filter(|ring| ring.len() > 2).count();
        // The way that is written down is one of references, back to its start.
        for &start in &garbage {
            let way = cycle::shortest(&heap, &components, ObjId(start as u32));
            assert_eq!(way.is_empty(), !to[start][start]);
            for (place, &(from, label)) in way.iter().enumerate() {
                let next = way[(place + 1) % way.len()].0;
                assert!(heap.references_of(from).any(|step| step == (label, next)));
            }
        }
    }
    assert!(n_cycles > 100 && n_larger > 10, "{n_cycles} {n_larger}");
}

/// A function in the closure of itself's owner, as `def handler(): self…; self.cb = handler`.
fn handler(heap: &mut SnapshotBuilder, globals: ObjId) {
    let node = heap.tracked("shop.Node");
    let dict = heap.tracked("dict");
    let function = heap.tracked("function");
    let closure = heap.tracked("tuple");
    let cell = heap.tracked("cell");
    let code = heap.object("code");
    let (name, variables, variable) =
        (heap.object("str"), heap.object("tuple"), heap.object("str"));
    let buffer = heap.object("bytes");
    heap.size(buffer, 1000);
    heap.reference(node, Via::Attribute("__dict__"), dict);
    heap.entry(dict, "buffer", buffer);
    heap.entry(dict, "cb", function);
    heap.reference(function, Via::Attribute("__code__"), code);
    heap.reference(function, Via::Attribute("__globals__"), globals);
    heap.reference(function, Via::Attribute("__closure__"), closure);
    heap.reference(closure, Via::Item(0), cell);
    heap.reference(cell, Via::Attribute("cell_contents"), node);
    heap.reference(code, Via::Attribute("co_qualname"), name);
    heap.key_text(name, "Node.start.<locals>.handler");
    heap.reference(code, Via::Internal("co_localsplusnames"), variables);
    heap.reference(variables, Via::Item(0), variable);
    heap.key_text(variable, "self");
}

fn with_globals() -> (SnapshotBuilder, ObjId) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let module = heap.module(modules, "shop.nodes");
    let one = heap.object("int");
    heap.attribute(module, "ONE", one);
    // The `__dict__` comes right before the first entry's key.
    let finished = heap.clone().finish();
    let globals = crate::attributes::field(&finished, module, "__dict__").unwrap();
    (heap, globals)
}

#[test]
fn cycles_of_a_closure_are_one_group_that_names_function_variable_and_attribute() {
    let (mut heap, globals) = with_globals();
    for _ in 0..3 {
        handler(&mut heap, globals);
    }
    let look = look(&heap.finish());
    assert_eq!(look.n_cycles, 3);
    let [group] = look.groups.as_slice() else {
        panic!("{look:#?}")
    };
    assert_eq!(group.made_by, "shop.nodes.Node.start.<locals>.handler");
    assert_eq!(group.package, "shop");
    assert_eq!(
        group.types,
        ["cell", "dict", "function", "shop.Node", "tuple"]
    );
    assert_eq!(
        (group.n_cycles, group.n_objects, group.size_bytes),
        (3, 15, 15 * 64)
    );
    // Code, names and buffer hang on each: 5 strings, a tuple, a code object, a buffer.
    assert_eq!(group.n_held, look.n_objects);
    assert_eq!(group.held_bytes, look.size_bytes);
    assert!(group.held_bytes > 3 * 1000);
    assert_eq!(
        group.cycle,
        "function Node.start.<locals>.handler() closure self → shop.Node.cb \
         → function Node.start.<locals>.handler()"
    );
    assert_eq!(group.through, ["closure self", "cb"]);
}

#[test]
fn the_class_of_the_program_names_a_cycle_without_functions() {
    let mut heap = SnapshotBuilder::new();
    let (parent, child) = (heap.tracked("shop.Parent"), heap.tracked("list"));
    heap.flags("shop.Parent", TypeFlags::HEAP_TYPE | TypeFlags::PYTHON);
    heap.reference(parent, Via::Attribute("children"), child);
    heap.reference(child, Via::Item(3), parent);
    let look = look(&heap.finish());
    assert_eq!(look.groups[0].made_by, "shop.Parent");
    assert_eq!(
        look.groups[0].cycle,
        "shop.Parent.children → list[*] → shop.Parent"
    );
    assert_eq!(look.types[0].n_objects, 1);
}

#[test]
fn what_hangs_on_a_cycle_counts_with_it_and_a_cycle_below_with_the_one_above() {
    let mut heap = SnapshotBuilder::new();
    let ring = |heap: &mut SnapshotBuilder, kind: &str| {
        let one = heap.tracked(kind);
        heap.reference(one, Via::Item(0), one);
        one
    };
    let (below, above) = (ring(&mut heap, "shop.Below"), ring(&mut heap, "shop.Above"));
    let leaf = heap.object("bytes");
    heap.reference(above, Via::Item(1), below);
    heap.reference(below, Via::Item(1), leaf);
    let look = look(&heap.finish());
    let held: Vec<_> = look
        .groups
        .iter()
        .map(|group| (group.made_by.as_str(), group.n_cycles, group.n_held))
        .collect();
    assert_eq!(held, [("shop.Above", 1, 3), ("shop.Below", 1, 0)]);
}

#[test]
fn a_heap_without_garbage_has_none() {
    let (heap, _) = with_globals();
    assert_eq!(look(&heap.finish()), GarbageLook::default());
}

#[test]
fn a_long_ring_is_searched_without_a_deep_stack() {
    let mut heap = SnapshotBuilder::new();
    let nodes: Vec<ObjId> = (0..200_000).map(|_| heap.tracked("list")).collect();
    for pair in nodes.windows(2) {
        heap.reference(pair[0], Via::Item(0), pair[1]);
    }
    heap.reference(nodes[nodes.len() - 1], Via::Item(0), nodes[0]);
    let look = look(&heap.finish());
    assert_eq!((look.n_cycles, look.groups[0].n_held), (1, 200_000));
    assert!(
        look.groups[0].cycle.contains("→ … →"),
        "{}",
        look.groups[0].cycle
    );
}

/// So many cycles at each look, a second apart; `old` is where the middle generation starts.
fn series(counts: &[usize], middle: u32) -> Vec<(f64, GarbageLook)> {
    let one = |n_cycles: usize| {
        let (mut heap, globals) = with_globals();
        heap.capture().generation_starts = [0, middle, middle];
        for _ in 0..n_cycles {
            handler(&mut heap, globals);
        }
        look(&heap.finish())
    };
    let looks = counts.iter().map(|&count| one(count));
    (0..).map(f64::from).zip(looks).collect()
}

fn with_collector(enabled: bool) -> Capture {
    let mut capture = Capture::default();
    capture.collector.enabled = Some(enabled);
    capture
}

#[test]
fn garbage_grows_while_the_collector_is_off_and_not_when_it_is_collected_now_and_then() {
    let off = with_collector(false);
    assert_eq!(garbage_growth(&series(&[5, 80, 2, 90], 0), &off), []);
    let growth = garbage_growth(&series(&[5, 10, 15, 20], 0), &off);
    assert_eq!(growth.len(), 1);
    // Five objects in each cycle.
    assert_eq!(growth[0].objects.per_second, 25.0);
    assert!(growth[0].bytes_delta > 15_000);
    assert!(!growth[0].will_be_freed);
}

#[test]
fn what_a_running_collector_soon_comes_to_does_not_grow_and_what_it_left_does() {
    let on = with_collector(true);
    assert_eq!(garbage_growth(&series(&[5, 10, 15, 20], 0), &on), []);
    let growth = garbage_growth(&series(&[5, 10, 15, 20], u32::MAX - 1), &on);
    assert!(matches!(growth.as_slice(), [one] if one.will_be_freed));
}
