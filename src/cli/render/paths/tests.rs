use leakhunt_heap::{ObjId, Paths, RootKind, SnapshotBuilder, Via, merge_paths};

use super::*;

const VIEW: PathsView = PathsView {
    json: false,
    limit: 20,
    depth: 0,
    color: false,
    width: None,
};

/// Rows in a list, in lists in a dict, in a chain; and garbage.
fn shown(view: PathsView) -> String {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop.cache");
    let rows = heap.object("list");
    heap.attribute(shop, "ROWS", rows);
    for place in 0..12 {
        let row = heap.object("shop.Row");
        heap.reference(rows, Via::Item(place), row);
    }
    let by_key = heap.object("dict");
    heap.attribute(shop, "BY_KEY", by_key);
    for key in ["a", "b"] {
        let list = heap.object("list");
        heap.entry(by_key, key, list);
        let row = heap.object("shop.Row");
        heap.reference(list, Via::Item(0), row);
    }
    let mut link = heap.object("shop.Link");
    heap.attribute(shop, "CHAIN", link);
    for _ in 0..5 {
        let next = heap.object("shop.Link");
        heap.reference(link, Via::Attribute("next"), next);
        link = next;
    }
    let row = heap.object("shop.Row");
    heap.reference(link, Via::Attribute("row"), row);
    let garbage = heap.object("shop.Row");
    heap.reference(garbage, Via::Attribute("me"), garbage);
    let heap = heap.finish();
    let objects: Vec<ObjId> = heap
        .ids()
        .filter(|&object| heap.type_of(object).name == "Row")
        .collect();
    let paths = Paths::find(&heap);
    let merged = merge_paths(&heap, &paths, objects.iter().copied());
    let path = paths.to(&heap, objects[0]).unwrap();
    let bytes = view.show(&PathsShown {
        file: "heap.leakhunt",
        snapshot: &heap,
        subject: &Subject {
            text: "of shop.Row".to_owned(),
            type_name: Some("Row".to_owned()),
            address: None,
            objects,
        },
        merged: &merged,
        whole: vec![HeldObject {
            object: path.steps.last().unwrap().object,
            holder: paths.holder(&heap, &path),
            path,
        }],
    });
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_tree_shows_what_each_branch_holds() {
    assert_eq!(
        shown(VIEW),
        "\
heap.leakhunt: 16 objects of shop.Row, 1 kB
1 of them, 64 B, is garbage that is not collected yet
objects   share  bytes  type      path
     15   100 %  960 B  module    sys.modules['shop.cache']
     12    80 %  768 B  shop.Row    .ROWS[*]
      2  13.3 %  128 B  shop.Row    .BY_KEY[*][*]
      1   6.7 %   64 B  shop.Row    .CHAIN.next.next….row
for example
0x7f0000000180  shop.Row, 64 B
  path     sys.modules['shop.cache'].ROWS[0]
  held by  shop.cache.ROWS (list), package shop
"
    );
}

#[test]
fn what_is_left_out_is_said() {
    let view = PathsView { limit: 2, ..VIEW };
    let tree = shown(view);
    assert!(
        tree.contains("      3   20 %  192 B              … 2 more branches\n"),
        "{tree}"
    );
    let view = PathsView { depth: 1, ..VIEW };
    let tree = shown(view);
    assert!(tree.contains("  … 3 more branches\n"), "{tree}");
}

#[test]
fn json_has_all_branches_and_paths() {
    let view = PathsView {
        json: true,
        limit: 1,
        ..VIEW
    };
    let json: serde_json::Value = serde_json::from_str(&shown(view)).unwrap();
    assert_eq!(json["schema"], "leakhunt.paths/1");
    assert_eq!(
        (&json["objects"], &json["garbage_objects"]),
        (&15.into(), &1.into())
    );
    let branches = json["branches"].as_array().unwrap();
    let rows = branches
        .iter()
        .find(|branch| branch["path"] == "sys.modules['shop.cache'].ROWS[*]")
        .unwrap();
    assert_eq!((&rows["ending"], &rows["places"]), (&12.into(), &12.into()));
    let parent = rows["parent"].as_u64().unwrap() as usize;
    assert_eq!(branches[parent]["label"], ".ROWS");
    assert_eq!(branches[parent]["id"], rows["parent"]);
    assert_eq!(json["paths"][0]["evaluates"], true);
    assert_eq!(json["paths"][0]["holder"]["name"], "shop.cache.ROWS");
}
