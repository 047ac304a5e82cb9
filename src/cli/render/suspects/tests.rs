use leakhunt_heap::{
    Analysed, Dominators, ObjId, Paths, RootKind, SnapshotBuilder, Via, suspects,
    suspects_of_growth,
};
use serde_json::Value;

use super::*;

/// A list of so many rows in `shop.ROWS`, in a process 4121.
fn shop(n_rows: u32) -> Snapshot {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    for at in 0..100 {
        let text = heap.object("str");
        heap.size(text, 500);
        heap.attribute(shop, &format!("text_{at}"), text);
    }
    let rows: ObjId = heap.object("list");
    heap.attribute(shop, "ROWS", rows);
    for at in 0..n_rows {
        let row = heap.object("shop.Row");
        heap.size(row, 1000);
        heap.reference(rows, Via::Item(at), row);
    }
    heap.capture().pid = 4121;
    heap.capture().python = "3.12.1".into();
    heap.finish()
}

fn analysed(snapshot: &Snapshot, answer: impl FnOnce(Analysed<'_>) -> Suspects) -> Suspects {
    let (tree, paths) = (Dominators::of(snapshot), Paths::find(snapshot));
    answer(Analysed {
        snapshot,
        tree: &tree,
        paths: &paths,
    })
}

fn view(snapshot: &Snapshot) -> SuspectsView<'_> {
    SuspectsView {
        name: "heap.leakhunt",
        baseline: None,
        snapshot,
    }
}

#[test]
fn a_suspect_is_told_with_its_place_its_size_and_what_to_do_next() {
    let heap = shop(200);
    let found = analysed(&heap, suspects);
    assert_eq!(
        view(&heap).text(&found),
        "\
heap.leakhunt of process 4121, CPython 3.12.1, 1970-01-01 00:00:00 UTC
objects 406  bytes 256.8 kB

1. shop.ROWS (list) holds 200.1 kB, 77.9 % of the heap
     holds    200 shop.Row (200 kB)
     frees    201 objects, 64 B of it the list alone
     path     sys.modules['shop'].ROWS
     package  shop
     next     leakhunt hunt --pid 4121 --trace
spread over many places: 202 str, 22 %

One snapshot shows size, not growth. To see what grows, now or until later:
  leakhunt hunt --pid 4121
  leakhunt snapshot --pid 4121 -o later.leakhunt && leakhunt suspects later.leakhunt --baseline heap.leakhunt
"
    );
}

#[test]
fn a_heap_without_anything_big_says_so() {
    let heap = shop(1);
    let text = view(&heap).text(&analysed(&heap, suspects));
    assert!(text.contains("no place holds 10 % of the heap"), "{text}");
    assert!(text.contains("One snapshot shows size"), "{text}");
}

#[test]
fn growth_is_told_against_the_baseline() {
    let (before, now) = (shop(20), shop(120));
    let found = analysed(&before, |before| {
        analysed(&now, |now| suspects_of_growth(now, before))
    });
    let view = SuspectsView {
        baseline: Some("before.leakhunt"),
        ..view(&now)
    };
    let text = view.text(&found);
    let told = "1. shop.ROWS (list) grew by 100 kB to 120.1 kB, 67.9 % of the heap\n     \
                holds    +100 shop.Row (+100 kB)\n";
    assert!(text.contains(told), "{text}");
    assert!(text.contains("bytes 176.8 kB (+100 kB)"), "{text}");
    assert!(text.ends_with("  leakhunt hunt --pid 4121\n"), "{text}");
    let same = analysed(&now, |before| {
        analysed(&now, |now| suspects_of_growth(now, before))
    });
    let text = view.text(&same);
    assert!(
        text.contains("no place grew by 2 % of the baseline"),
        "{text}"
    );
}

#[test]
fn json_has_what_the_documentation_names() {
    let heap = shop(200);
    let found = analysed(&heap, suspects);
    let document: Value = serde_json::from_slice(&view(&heap).json(&found)).unwrap();
    assert_eq!(document["schema"], "leakhunt.suspects/1");
    let suspect = &document["suspects"][0];
    for (field, expected) in [
        ("place", "shop.ROWS"),
        ("shape", "object"),
        ("type", "list"),
        ("path", "sys.modules['shop'].ROWS"),
        ("package", "shop"),
    ] {
        assert_eq!(suspect[field], expected, "{field}");
    }
    assert_eq!(suspect["retained_bytes"], 200_064);
    assert_eq!(suspect["holds"][0]["objects"], 200);
    assert_eq!(
        (&suspect["sample"], &suspect["evaluates"]),
        (&Value::Null, &true.into())
    );
}

#[test]
fn words_are_quoted_for_a_shell() {
    assert_eq!(quoted("heap.leakhunt"), "heap.leakhunt");
    assert_eq!(quoted("it's"), "'it'\\''s'");
}
