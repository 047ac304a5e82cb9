use leakhunt_wire::TypeFlags;

use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::RootKind;

#[test]
fn a_tree_starts_at_the_node_that_no_other_holds() {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let mut nodes = vec![heap.tracked("shop.Node")];
    heap.attribute(shop, "TREE", nodes[0]);
    for index in 1..300_usize {
        let node = heap.tracked("shop.Node");
        let side = if index % 2 == 0 { "left" } else { "right" };
        heap.reference(nodes[(index - 1) / 2], Via::Attribute(side), node);
        nodes.push(node);
    }
    // Nodes that hold others in a collection are links, too.
    let within = heap.object("list");
    heap.reference(nodes[299], Via::Attribute("rest"), within);
    let last = heap.tracked("shop.Node");
    heap.reference(within, Via::Item(0), last);
    nodes.push(last);
    let heap = heap.finish();
    let places = Places::of(&heap);
    for &node in &nodes[1..] {
        let way = places.way_of(node).unwrap();
        let (start, next) = start_of_chain(&places, way, node).unwrap();
        assert_eq!(start, nodes[0]);
        assert!(nodes[1..3].contains(&next));
    }
}

/// With the attributes of links in themselves, or in a `__dict__` as up to 3.10.
#[test]
fn what_the_links_of_a_tree_hold_each_its_own_goes_by_the_root() {
    check_trie(|heap, letter, after| heap.reference(letter, Via::Attribute("after"), after));
    check_trie(|heap, letter, after| {
        let dict = heap.object("dict");
        heap.reference(letter, Via::Attribute("__dict__"), dict);
        heap.entry(dict, "after", after);
    });
}

fn check_trie(attach: impl Fn(&mut SnapshotBuilder, ObjId, ObjId)) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let mut letters = vec![heap.tracked("shop.Letter")];
    heap.attribute(shop, "WORDS", letters[0]);
    let mut dicts = Vec::new();
    for index in 0..200_usize {
        let after = heap.object("dict");
        attach(&mut heap, letters[index], after);
        dicts.push(after);
        let letter = heap.tracked("shop.Letter");
        heap.entry(after, "a", letter);
        letters.push(letter);
    }
    let heap = heap.finish();
    let places = Places::of(&heap);
    let way = places.way_of(dicts[100]).unwrap();
    let holder = largest_holder(&places, way, &dicts);
    assert_eq!(holder, Some((letters[0], dicts[0], true)));
}

#[test]
fn of_many_chains_none_is_named_alone() {
    let named = |n_chains: u32| {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let editors = heap.object("list");
        heap.attribute(shop, "EDITORS", editors);
        let mut links = Vec::new();
        for chain in 0..n_chains {
            let editor = heap.tracked("shop.Editor");
            heap.reference(editors, Via::Item(chain), editor);
            let mut link = heap.tracked("shop.State");
            heap.reference(editor, Via::Attribute("state"), link);
            for _ in 0..40 {
                let next = heap.tracked("shop.State");
                heap.reference(link, Via::Attribute("before"), next);
                links.push(next);
                link = next;
            }
        }
        let heap = heap.finish();
        let places = Places::of(&heap);
        let way = places.way_of(links[0]).unwrap();
        largest_holder(&places, way, &links).unwrap().2
    };
    assert!(named(1));
    assert!(!named(3));
}

/// Errors that each keep the one before, as `__context__` does.
#[test]
fn a_chain_of_objects_made_in_c_starts_at_its_first_link() {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let mut error = heap.tracked("KeyError");
    let first = error;
    heap.attribute(shop, "LAST_ERROR", first);
    let mut errors = vec![first];
    for _ in 0..40 {
        let before = heap.tracked("KeyError");
        heap.reference(error, Via::Attribute("__context__"), before);
        errors.push(before);
        error = before;
    }
    let heap = heap.finish();
    let places = Places::of(&heap);
    let way = places.way_of(errors[30]).unwrap();
    assert_eq!(
        start_of_chain(&places, way, errors[30]),
        Some((first, errors[1]))
    );
}

/// Calls wrapped around calls: a link is two objects, and what the first is in looks like neither.
#[test]
fn a_chain_with_objects_between_its_links_starts_at_its_first_link() {
    let mut heap = SnapshotBuilder::new();
    heap.flags("functools.partial", TypeFlags::COLLECTED);
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let mut handler = heap.tracked("functools.partial");
    heap.attribute(shop, "HANDLER", handler);
    let (mut links, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let arguments = heap.tracked("tuple");
        heap.reference(handler, Via::Attribute("args"), arguments);
        let step = heap.tracked("shop.Step");
        heap.reference(arguments, Via::Item(0), step);
        let before = heap.tracked("functools.partial");
        heap.reference(arguments, Via::Item(1), before);
        links.push(arguments);
        steps.push(step);
        handler = before;
    }
    let heap = heap.finish();
    let places = Places::of(&heap);
    let way = places.way_of(steps[30]).unwrap();
    let held: Vec<ObjId> = steps[10..].to_vec();
    let (holder, _, is_one) = largest_holder(&places, way, &held).unwrap();
    assert_eq!((holder, is_one), (links[0], true));
}
