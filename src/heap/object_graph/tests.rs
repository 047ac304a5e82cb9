use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;
use crate::snapshot::RootKind;

const SCOPE: GraphScope = GraphScope {
    direction: Direction::Back,
    max_depth: 3,
    too_many: 10,
    max_objects: 100,
};

/// `from -> to` by the texts of both, with what for.
fn edges(graph: &ObjectGraph) -> Vec<String> {
    let text = |index: usize| {
        let node = &graph.nodes[index];
        format!("{} {}", node.type_name, node.text)
    };
    let mut edges: Vec<String> = graph
        .edges
        .iter()
        .map(|edge| {
            let path = if edge.is_on_path { "=" } else { "-" };
            let (from, to) = (text(edge.from), text(edge.to));
            format!("{from} {path}{}> {to}", edge.text.text().replace('\n', " "))
        })
        .collect();
    edges.sort_unstable();
    edges
}

fn draw(heap: &SnapshotBuilder, starts: &[ObjId], scope: GraphScope) -> ObjectGraph {
    let heap = heap.clone().finish();
    object_graph(&heap, &Paths::find(&heap), starts, scope)
}

/// The module `shop`, and its registry of a row: a dict in a list.
fn shop() -> (SnapshotBuilder, ObjId, ObjId) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let list = heap.object("list");
    heap.attribute(shop, "ROWS", list);
    let row = heap.object("shop.Row");
    heap.reference(list, Via::Item(4), row);
    (heap, shop, row)
}

#[test]
fn back_references_go_up_to_modules_and_not_beyond() {
    let (mut heap, module, row) = shop();
    let function = heap.object("function");
    let by_name = heap.object("dict");
    // Its names are the function's globals.
    let names = ObjId(module.0 + 3);
    heap.reference(function, Via::Attribute("__globals__"), names);
    heap.entry(by_name, "a b", row);
    heap.count(by_name, 1);
    let graph = draw(&heap, &[row], SCOPE);
    assert_eq!(
        edges(&graph),
        [
            "dict 1 item -str 'a b'> Row 0x7f0000000180",
            "dict 1 item =ROWS> list 1 item",
            "list 1 item =[4]> Row 0x7f0000000180",
            "module shop =__dict__> dict 1 item",
        ]
    );
    assert_eq!(graph.nodes.iter().filter(|node| node.is_module).count(), 1);
    assert!(graph.nodes[0].is_start && graph.nodes[0].object == row);
    assert!(
        graph
            .nodes
            .iter()
            .all(|node| node.depth <= 3 && node.n_more == 0)
    );
}

#[test]
fn the_shortest_path_is_drawn_whole_whatever_the_limits() {
    let (mut heap, _, row) = shop();
    for _ in 0..40 {
        let list = heap.object("list");
        heap.reference(list, Via::Item(0), row);
    }
    let scope = GraphScope {
        max_depth: 1,
        too_many: 5,
        ..SCOPE
    };
    let graph = draw(&heap, &[row], scope);
    let shown = edges(&graph);
    assert_eq!(
        shown.iter().filter(|edge| edge.contains('=')).count(),
        3,
        "{shown:?}"
    );
    assert_eq!(graph.nodes[0].n_more, 36);
    assert_eq!(shown.len(), 3 + 4);
    let scope = GraphScope {
        max_objects: 2,
        ..SCOPE
    };
    let graph = draw(&heap, &[row], scope);
    assert_eq!(graph.nodes.len(), 2);
}

#[test]
fn what_holds_the_first_object_of_a_path_is_told() {
    let mut heap = SnapshotBuilder::new();
    let context = heap.object("Context");
    heap.named_root(RootKind::Thread, context, 7, "context");
    let row = heap.object("shop.Row");
    heap.reference(context, Via::Attribute("row"), row);
    let frame = heap.frame("handle");
    let local = heap.object("shop.Row");
    heap.reference(frame, Via::Local("row"), local);
    let graph = draw(&heap, &[row, local], SCOPE);
    let roots: Vec<_> = graph
        .nodes
        .iter()
        .filter_map(|node| node.root.as_deref())
        .collect();
    assert_eq!(roots, ["<context of a thread>"]);
    assert_eq!(
        edges(&graph),
        [
            "Context 0x7f0000000000 =row> Row 0x7f0000000040",
            "frame of a thread handle() =local row> Row 0x7f00000000c0",
        ]
    );
}

#[test]
fn forward_references_go_into_objects() {
    let (heap, module, row) = shop();
    let scope = GraphScope {
        direction: Direction::Forward,
        ..SCOPE
    };
    let graph = draw(&heap, &[module], scope);
    assert_eq!(
        edges(&graph),
        [
            "dict 1 item -ROWS> list 1 item",
            "dict 1 item -key> str 0x7f0000000140",
            "list 1 item -[4]> Row 0x7f0000000180",
            "module shop -__dict__> dict 1 item",
        ]
    );
    assert!(
        graph
            .nodes
            .iter()
            .any(|node| node.object == row && node.depth == 3)
    );
}

#[test]
fn a_chain_of_a_million_is_cut() {
    let (mut heap, _, mut link) = shop();
    for _ in 0..10_000 {
        let next = heap.object("shop.Link");
        heap.reference(link, Via::Attribute("next"), next);
        link = next;
    }
    let graph = draw(&heap, &[link], SCOPE);
    assert_eq!(graph.nodes.len(), 1 + MOST_PATH_STEPS);
    let cut: Vec<_> = graph.nodes.iter().filter(|node| node.n_more > 0).collect();
    assert_eq!((cut.len(), cut[0].depth), (1, MOST_PATH_STEPS));
}

/// Distances against the direction of references.
fn distances_back(heap: &Snapshot, start: ObjId) -> HashMap<ObjId, usize> {
    let mut distances = HashMap::from([(start, 0)]);
    for distance in 0..heap.n_objects() {
        for from in heap.ids() {
            let reaches = heap
                .references_of(from)
                .any(|(_, to)| distances.get(&to) == Some(&distance));
            if reaches {
                distances.entry(from).or_insert(distance + 1);
            }
        }
    }
    distances
}

#[test]
fn without_limits_all_that_refers_within_the_depth_is_drawn() {
    let mut random = Random::new(11);
    let mut n_edges = 0;
    for _ in 0..200 {
        let heap = random.heap(20, 50);
        let start = ObjId(random.below(20));
        let scope = GraphScope {
            too_many: usize::MAX,
            ..SCOPE
        };
        let paths = Paths::find(&heap);
        let graph = object_graph(&heap, &paths, &[start], scope);
        let distances = distances_back(&heap, start);
        let drawn: BTreeMap<ObjId, usize> = graph
            .nodes
            .iter()
            .map(|node| (node.object, node.depth))
            .collect();
        for (&object, &distance) in &distances.iter().collect::<BTreeMap<_, _>>() {
            assert_eq!(
                drawn.contains_key(object),
                *distance <= 3 || {
                    let path = paths.to(&heap, start);
                    path.is_some_and(|path| path.steps.iter().any(|step| step.object == *object))
                }
            );
        }
        for edge in &graph.edges {
            let (from, to) = (&graph.nodes[edge.from], &graph.nodes[edge.to]);
            let n_references = heap
                .references_of(from.object)
                .filter(|&(_, target)| target == to.object)
                .count();
            assert_eq!(edge.n_references, n_references);
            assert!(n_references > 0);
            n_edges += 1;
        }
        for to in graph
            .nodes
            .iter()
            .filter(|node| node.depth < 3 && distances[&node.object] < 3)
        {
            let referrers: BTreeSet<ObjId> = heap
                .ids()
                .filter(|&from| {
                    heap.references_of(from)
                        .any(|(_, target)| target == to.object)
                })
                .collect();
            let shown: BTreeSet<ObjId> = graph
                .edges
                .iter()
                .filter(|edge| graph.nodes[edge.to].object == to.object)
                .map(|edge| graph.nodes[edge.from].object)
                .collect();
            assert_eq!(shown, referrers);
        }
    }
    assert!(n_edges > 500, "{n_edges}");
}
