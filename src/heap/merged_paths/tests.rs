use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::builder::Via;
use crate::paths::Path;
use crate::random::Random;
use crate::shop::Shop;

impl Shop {
    /// The merged paths to all objects of a type.
    fn merged(&self, type_name: &str) -> MergedPaths {
        let heap = self.heap.clone().finish();
        let paths = Paths::find(&heap);
        merge_paths(&heap, &paths, all_of(&heap, type_name))
    }
}

fn all_of(heap: &Snapshot, type_name: &str) -> Vec<ObjId> {
    heap.ids()
        .filter(|&object| heap.type_of(object).key() == type_name)
        .collect()
}

/// Each branch as `path type objects/bytes ending places`, parents first.
fn lines(merged: &MergedPaths) -> Vec<String> {
    fn go(before: &str, branch: &Branch, lines: &mut Vec<String>) {
        let path = format!("{before}{}", branch.label);
        lines.push(format!(
            "{path}{} {} {}/{} {} {}",
            if branch.repeats { "…" } else { "" },
            branch.type_name,
            branch.n_objects,
            branch.size_bytes,
            branch.n_ending,
            branch.n_places
        ));
        for child in &branch.children {
            go(&path, child, lines);
        }
    }
    let mut shown = Vec::new();
    for branch in &merged.root {
        go("", branch, &mut shown);
    }
    shown
}

#[test]
fn entries_of_a_collection_are_one_branch_and_the_heaviest_comes_first() {
    let mut shop = Shop::new("shop.cache");
    let few = shop.global("FEW", "list");
    let many = shop.global("MANY", "dict");
    for place in 0..3 {
        shop.held(few, Via::Item(place), "shop.Row");
    }
    for place in 0..5 {
        let list = shop.heap.object("list");
        shop.heap.entry(many, &format!("key {place}"), list);
        shop.held(list, Via::Item(place), "shop.Row");
    }
    let merged = shop.merged("shop.Row");
    assert_eq!(
        lines(&merged),
        [
            "sys.modules dict 8/512 0 1",
            "sys.modules['shop.cache'] module 8/512 0 1",
            "sys.modules['shop.cache'].MANY dict 5/320 0 1",
            "sys.modules['shop.cache'].MANY[*] list 5/320 0 5",
            "sys.modules['shop.cache'].MANY[*][*] shop.Row 5/320 5 5",
            "sys.modules['shop.cache'].FEW list 3/192 0 1",
            "sys.modules['shop.cache'].FEW[*] shop.Row 3/192 3 3",
        ]
    );
    assert_eq!((merged.n_objects, merged.n_merged), (8, 8));
    assert_eq!((merged.size_bytes, merged.merged_bytes), (512, 512));
}

#[test]
fn what_is_but_a_part_is_a_branch_only_where_it_is_asked_for() {
    let mut shop = Shop::new("shop.cache");
    let service = shop.global("SERVICE", "shop.Service");
    let row = shop.heap.object("shop.Row");
    shop.heap.attribute(service, "row", row);
    assert_eq!(
        lines(&shop.merged("shop.Row"))[2..],
        [
            "sys.modules['shop.cache'].SERVICE shop.Service 1/64 0 1",
            "sys.modules['shop.cache'].SERVICE.row shop.Row 1/64 1 1",
        ]
    );
    let dicts = lines(&shop.merged("dict"));
    assert_eq!(
        dicts,
        [
            "sys.modules dict 3/192 1 1",
            "sys.modules['shop.cache'] module 2/128 0 1",
            "sys.modules['shop.cache'].SERVICE shop.Service 1/64 0 1",
            "sys.modules['shop.cache'].SERVICE.__dict__ dict 1/64 1 1",
            "sys.modules['shop.cache'].__dict__ dict 1/64 1 1",
        ]
    );
}

#[test]
fn frames_cells_keys_and_names_that_are_none_have_their_labels() {
    let mut shop = Shop::new("shop.cache");
    let frame = shop.heap.frame("handle");
    let rows = shop.held(frame, Via::Local("rows"), "list");
    shop.held(rows, Via::Item(3), "shop.Row");
    let cell = shop.held(frame, Via::Local("shared"), "cell");
    shop.held(cell, Via::Attribute("cell_contents"), "shop.Row");
    let index = shop.global("in dex", "dict");
    shop.held(index, Via::Key(0), "shop.Row");
    let cached = shop.global("total", "functools._lru_cache_wrapper");
    shop.held(cached, Via::Internal("cache"), "shop.Row");
    let generator = shop.global("GEN", "generator");
    shop.held(generator, Via::Local("row"), "shop.Row");
    let native = shop.heap.object("shop.Row");
    shop.heap.count(native, 1);
    let shown: BTreeSet<String> = lines(&shop.merged("shop.Row"))
        .into_iter()
        .filter_map(|line| Some(line.split_once(" shop.Row 1/")?.0.to_owned()))
        .collect();
    let cache = "sys.modules['shop.cache']";
    let expected = [
        "frame handle(): local rows[*]".to_owned(),
        "frame handle(): local shared".to_owned(),
        format!("{cache}.__dict__['in dex'].keys()[*]"),
        format!("{cache}.total->cache"),
        format!("{cache}.GEN.gi_frame.f_locals['row']"),
        "<shop.Row held by native code>".to_owned(),
    ];
    assert_eq!(shown, expected.into());
}

#[test]
fn a_chain_of_any_length_is_one_branch() {
    let mut shop = Shop::new("shop.cache");
    let mut link = shop.global("CHAIN", "shop.Link");
    for _ in 0..50_000 {
        link = shop.held(link, Via::Attribute("next"), "shop.Link");
    }
    let last = shop.held(link, Via::Attribute("value"), "shop.Row");
    assert_eq!(
        lines(&shop.merged("shop.Row"))[2..],
        [
            "sys.modules['shop.cache'].CHAIN shop.Link 1/64 0 1",
            "sys.modules['shop.cache'].CHAIN.next shop.Link 1/64 0 1",
            "sys.modules['shop.cache'].CHAIN.next.next… shop.Link 1/64 0 49999",
            "sys.modules['shop.cache'].CHAIN.next.next.value shop.Row 1/64 1 1",
        ]
    );
    let heap = shop.heap.clone().finish();
    let merged = merge_paths(&heap, &Paths::find(&heap), [last]);
    assert_eq!(merged, shop.merged("shop.Row"));
}

#[test]
fn a_round_of_several_steps_folds_and_endless_ways_end() {
    let mut shop = Shop::new("shop.cache");
    let mut node = shop.global("TREE", "shop.Node");
    for _ in 0..100 {
        let children = shop.held(node, Via::Attribute("children"), "list");
        node = shop.held(children, Via::Item(0), "shop.Node");
    }
    shop.held(node, Via::Attribute("row"), "shop.Row");
    let mut step = shop.global("MAZE", "shop.Node");
    for turn in 0..300 {
        step = shop.held(step, Via::Attribute(&format!("way_{turn}")), "shop.Node");
    }
    shop.held(step, Via::Attribute("row"), "shop.Row");
    let shown = lines(&shop.merged("shop.Row"));
    let of_tree: Vec<&String> = shown.iter().filter(|line| line.contains("TREE")).collect();
    assert_eq!(of_tree.len(), 6, "{of_tree:?}");
    assert!(of_tree[3].contains(".TREE.children[*].children… list 1/64 0 99"));
    let beyond: Vec<&String> = shown.iter().filter(|line| line.contains("->…")).collect();
    assert_eq!(beyond.len(), 1);
    assert!(
        beyond[0].ends_with(".way_95->… object 1/64 1 205"),
        "{}",
        beyond[0]
    );
}

#[test]
fn rounds_of_one_to_four_steps_fold() {
    for (len, n_branches) in [(1, 4), (2, 6), (3, 8), (4, 10), (5, 22)] {
        let mut shop = Shop::new("shop.cache");
        let mut step = shop.heap.frame("walk");
        for turn in 0..20 {
            let name = format!("step_{}", turn % len);
            step = shop.held(step, Via::Attribute(&name), "shop.Node");
        }
        shop.held(step, Via::Attribute("row"), "shop.Row");
        let shown = lines(&shop.merged("shop.Row"));
        assert_eq!(shown.len(), n_branches, "{len}: {shown:#?}");
        let n_folded = shown.iter().filter(|line| line.contains('…')).count();
        assert_eq!(n_folded, usize::from(len < 5), "{len}");
    }
}

#[test]
fn of_many_objects_a_sample_is_merged_and_garbage_is_told_apart() {
    let mut shop = Shop::new("shop.cache");
    let rows = shop.global("ROWS", "list");
    for place in 0..25_000 {
        shop.held(rows, Via::Item(place), "shop.Row");
    }
    let [one, other] = [(); 2].map(|()| shop.heap.object("shop.Row"));
    shop.heap.reference(one, Via::Attribute("other"), other);
    shop.heap.reference(other, Via::Attribute("other"), one);
    let merged = shop.merged("shop.Row");
    assert_eq!((merged.n_objects, merged.size_bytes), (25_000, 1_600_000));
    assert_eq!((merged.n_merged, merged.merged_bytes), (10_000, 640_000));
    assert_eq!((merged.n_garbage, merged.garbage_bytes), (2, 128));
    assert_eq!(merged.root[0].n_objects, 10_000);
}

/// A branch, made path by path.
#[derive(Debug, Default)]
struct Expected {
    n_objects: u64,
    size_bytes: u64,
    n_ending: u64,
    places: BTreeSet<ObjId>,
    repeats: bool,
    children: BTreeMap<(String, String), Expected>,
}

/// The steps of a printed path that are no part of the next: label, type, object.
fn printed_steps(heap: &Snapshot, path: &Path) -> Vec<((String, String), ObjId)> {
    let mut before = "";
    let mut steps = Vec::new();
    for step in path.steps.iter().filter(|step| !step.expression.is_empty()) {
        let added = step.expression.strip_prefix(before).expect("it goes on");
        let is_index = added.starts_with('[') && before != "sys.modules";
        let label = if is_index { "[*]" } else { added };
        let type_name = heap.type_of(step.object).key();
        steps.push(((label.to_owned(), type_name), step.object));
        before = &step.expression;
    }
    steps
}

fn insert(root: &mut Expected, heap: &Snapshot, path: &Path) {
    let object = path.steps.last().expect("it has a root").object;
    let size_bytes = heap.objects.size_bytes[object.0 as usize];
    let mut way: Vec<(String, String)> = Vec::new();
    fn at<'e>(root: &'e mut Expected, way: &[(String, String)]) -> &'e mut Expected {
        way.iter().fold(root, |branch, step| {
            branch.children.entry(step.clone()).or_default()
        })
    }
    for (step, place) in printed_steps(heap, path) {
        let len = way.len();
        let round = (1..=4.min(len / 2))
            .find(|&n| way[len - n..] == way[len - 2 * n..len - n] && way[len - n] == step);
        match round {
            Some(n) => {
                way.truncate(len - n + 1);
                at(root, &way).repeats = true;
            }
            None => way.push(step),
        }
        at(root, &way).places.insert(place);
    }
    for n_steps in 1..=way.len() {
        let branch = at(root, &way[..n_steps]);
        branch.n_objects += 1;
        branch.size_bytes += size_bytes;
    }
    at(root, &way).n_ending += 1;
}

fn assert_same(expected: &Expected, branches: &[Branch]) {
    assert_eq!(expected.children.len(), branches.len());
    assert!(branches.is_sorted_by_key(|branch| std::cmp::Reverse(branch.size_bytes)));
    for branch in branches {
        let step = (branch.label.clone(), branch.type_name.clone());
        let other = expected.children.get(&step);
        let other = other.unwrap_or_else(|| panic!("{step:?} in {:?}", expected.children.keys()));
        assert_eq!(
            (branch.n_objects, branch.size_bytes, branch.n_ending),
            (other.n_objects, other.size_bytes, other.n_ending),
            "{step:?}"
        );
        assert_eq!(branch.repeats, other.repeats);
        assert_eq!(branch.n_places, other.places.len() as u64);
        assert!(other.places.contains(&branch.place.expect("it is reached")));
        assert_same(other, &branch.children);
    }
}

/// Nodes with attributes, lists with items, a module, a frame.
fn random_heap(random: &mut Random) -> Snapshot {
    const TYPES: [&str; 3] = ["list", "shop.Node", "shop.Leaf"];
    const NAMES: [&str; 3] = ["next", "rows", "other"];
    let mut shop = Shop::new("shop.cache");
    let frame = shop.heap.frame("handle");
    let mut objects = Vec::new();
    for _ in 0..25 {
        let of_type = TYPES[random.below(3) as usize];
        let object = shop.heap.object(of_type);
        let size_bytes = 16 * u64::from(1 + random.below(9));
        shop.heap.size(object, size_bytes);
        objects.push((object, of_type));
    }
    let one = |random: &mut Random| objects[random.below(25) as usize];
    for place in 0..20 + random.below(30) {
        let ((from, of_type), (to, _)) = (one(random), one(random));
        let name = NAMES[random.below(3) as usize];
        match (of_type, random.below(2)) {
            ("list", _) => shop.heap.reference(from, Via::Item(place), to),
            (_, 0) => shop.heap.reference(from, Via::Attribute(name), to),
            _ => shop.heap.attribute(from, name, to),
        }
    }
    for name in NAMES {
        shop.heap.attribute(shop.module, name, one(random).0);
    }
    shop.heap.reference(frame, Via::Local("it"), one(random).0);
    let mut heap = shop.heap.finish();
    for count in &mut heap.objects.reference_count {
        *count += u32::from(random.below(30) == 0);
    }
    heap
}

#[test]
fn merging_at_once_is_merging_path_by_path() {
    let mut random = Random::new(9);
    let (mut n_rounds, mut n_forks) = (0, 0);
    for _ in 0..500 {
        let heap = random_heap(&mut random);
        let paths = Paths::find(&heap);
        // Keys go by their place in the whole dict, which no label tells.
        let objects: Vec<ObjId> = heap
            .ids()
            .filter(|&object| heap.type_of(object).name != "str" && random.below(4) > 0)
            .collect();
        let mut expected = Expected::default();
        let mut n_garbage = 0;
        for &object in &objects {
            match paths.to(&heap, object) {
                Some(path) => insert(&mut expected, &heap, &path),
                None => n_garbage += 1,
            }
        }
        let merged = merge_paths(&heap, &paths, objects.iter().copied());
        assert_eq!(merged.n_garbage, n_garbage);
        assert_eq!(merged.n_objects + n_garbage, objects.len() as u64);
        assert_same(&expected, &merged.root);
        let shown = lines(&merged);
        n_rounds += usize::from(shown.iter().any(|line| line.contains('…')));
        n_forks += usize::from(merged.root.iter().any(|root| root.children.len() > 1));
    }
    assert!(n_rounds > 10 && n_forks > 10, "{n_rounds} {n_forks}");
}
