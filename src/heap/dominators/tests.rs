use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;
use crate::reach::Reached;
use crate::snapshot::RootKind;

/// What is reached from the roots if one object is not there.
fn reached_without(heap: &Snapshot, roots: &[ObjId], gone: Option<ObjId>) -> Vec<bool> {
    let mut reached = vec![false; heap.n_objects()];
    let mut queue: Vec<ObjId> = roots.to_vec();
    while let Some(object) = queue.pop() {
        if Some(object) == gone || std::mem::replace(&mut reached[object.0 as usize], true) {
            continue;
        }
        queue.extend(heap.references_of(object).map(|(_, target)| target));
    }
    reached
}

/// Of each pair of objects, whether the first dominates the second: that one is lost without it.
fn brute_force(heap: &Snapshot) -> Vec<Vec<bool>> {
    let roots = roots(heap);
    let all = reached_without(heap, &roots, None);
    heap.ids()
        .map(|gone| {
            let left = reached_without(heap, &roots, Some(gone));
            all.iter().zip(left).map(|(&was, is)| was && !is).collect()
        })
        .collect()
}

#[test]
fn what_is_dominated_is_what_is_lost_without_the_object() {
    let mut random = Random::new(5);
    let mut n_deep = 0;
    for round in 0..400 {
        let (n_objects, n_references) = [(20, 30), (30, 60), (30, 200)][round % 3];
        let mut heap = random.heap(n_objects, n_references);
        for size in &mut heap.objects.size_bytes {
            *size = u64::from(random.below(1000));
        }
        let tree = Dominators::of(&heap);
        let lost = brute_force(&heap);
        for one in heap.ids() {
            let lost = &lost[one.0 as usize];
            let lost: Vec<ObjId> = heap.ids().filter(|other| lost[other.0 as usize]).collect();
            let dominated: Vec<ObjId> = heap
                .ids()
                .filter(|&other| tree.dominates(one, other))
                .collect();
            assert_eq!(dominated, lost, "{one:?}");
            assert_eq!(tree.n_retained(one) as usize, lost.len());
            let size = |object: &ObjId| heap.objects.size_bytes[object.0 as usize];
            assert_eq!(tree.retained_bytes(one), lost.iter().map(size).sum::<u64>());
            n_deep += usize::from(lost.len() > 3);
        }
        assert_is_a_tree(&heap, &tree);
    }
    assert!(n_deep > 300, "{n_deep}");
}

/// Children, dominators and the order say the same.
fn assert_is_a_tree(heap: &Snapshot, tree: &Dominators) {
    let reached = Reached::from_roots(heap);
    assert_eq!(tree.n_objects(), reached.len());
    for object in heap.ids() {
        assert_eq!(tree.is_reached(object), reached.contains(object));
        let children: Vec<ObjId> = tree.children(object).collect();
        for &child in &children {
            assert_eq!(tree.dominator(child), Some(object));
        }
        let below: u32 = children.iter().map(|&child| tree.n_retained(child)).sum();
        assert_eq!(
            tree.n_retained(object),
            below + u32::from(tree.is_reached(object))
        );
    }
    let top: u32 = tree.top_level().map(|object| tree.n_retained(object)).sum();
    assert_eq!(top as usize, tree.n_objects());
    assert!(
        tree.top_level()
            .all(|object| tree.dominator(object).is_none())
    );
    let bytes = tree.top_level().map(|object| tree.retained_bytes(object));
    assert_eq!(bytes.sum::<u64>(), tree.total_bytes());
}

#[test]
fn a_diamond_is_dominated_by_its_top() {
    let mut heap = SnapshotBuilder::new();
    let [top, left, right, bottom] = [(); 4].map(|()| heap.tracked("list"));
    heap.root(RootKind::Thread, top);
    for (from, to) in [(top, left), (top, right), (left, bottom), (right, bottom)] {
        heap.reference(from, Via::Item(0), to);
    }
    heap.size(bottom, 1000);
    let heap = heap.finish();
    let tree = Dominators::of(&heap);
    assert_eq!(tree.dominator(bottom), Some(top));
    assert_eq!(tree.retained_bytes(left), 64);
    assert_eq!(tree.retained_bytes(top), 3 * 64 + 1000);
    assert_eq!(tree.dominator(top), None);
    assert_eq!(tree.children(top).count(), 3);
}

#[test]
fn garbage_is_in_no_tree_and_what_native_code_holds_is_on_top() {
    let mut heap = SnapshotBuilder::new();
    let [held, garbage, native] = [(); 3].map(|()| heap.tracked("list"));
    heap.root(RootKind::Thread, held);
    heap.reference(held, Via::Item(0), native);
    heap.reference(garbage, Via::Item(0), garbage);
    heap.count(native, 2);
    let heap = heap.finish();
    let tree = Dominators::of(&heap);
    assert!(!tree.is_reached(garbage));
    assert_eq!(
        (tree.n_retained(garbage), tree.retained_bytes(garbage)),
        (0, 0)
    );
    assert_eq!(tree.dominator(native), None);
    assert_eq!(tree.top_level().collect::<Vec<_>>(), [held, native]);
}

#[test]
fn a_chain_of_a_million_links_is_no_recursion() {
    let mut heap = SnapshotBuilder::new();
    let links: Vec<ObjId> = (0..1_000_000).map(|_| heap.object("shop.Link")).collect();
    heap.root(RootKind::Thread, links[0]);
    for pair in links.windows(2) {
        heap.reference(pair[0], Via::Attribute("next"), pair[1]);
        heap.reference(pair[1], Via::Attribute("previous"), pair[0]);
    }
    let heap = heap.finish();
    let tree = Dominators::of(&heap);
    assert_eq!(tree.n_retained(links[0]), 1_000_000);
    assert_eq!(tree.retained_bytes(links[999_999]), 64);
    assert_eq!(tree.dominator(links[999_999]), Some(links[999_998]));
}

#[test]
fn a_heap_without_objects_has_an_empty_tree() {
    let tree = Dominators::of(&Snapshot::default());
    assert_eq!((tree.n_objects(), tree.total_bytes()), (0, 0));
    assert_eq!(tree.top_level().count(), 0);
}
