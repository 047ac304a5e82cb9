use leakhunt_heap::{Dominators, RootKind, SnapshotBuilder, Via, retained};
use serde_json::Value;

use super::*;

/// Two rows with a text each, one of them in the other.
fn shown(answer: impl FnOnce(&RetainedView<'_>, &Snapshot, &Paths, &Retained)) {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let shop = heap.module(modules, "shop");
    let [outer, inner] = ["shop.Row"; 2].map(|of_type| heap.object(of_type));
    heap.attribute(shop, "ROW", outer);
    heap.reference(outer, Via::Attribute("next"), inner);
    for row in [outer, inner] {
        let text = heap.object("bytes");
        heap.size(text, 10_000);
        heap.reference(row, Via::Attribute("text"), text);
    }
    let heap = heap.finish();
    let retained = retained(&heap, &Dominators::of(&heap), RetainedBy::Type);
    let view = RetainedView {
        name: "heap.leakhunt",
        by: RetainedBy::Type,
        limit: Some(2),
        matches: None,
        color: false,
        width: None,
    };
    answer(&view, &heap, &Paths::find(&heap), &retained);
}

#[test]
fn a_kind_has_its_own_bytes_and_those_that_it_retains() {
    shown(|view, heap, paths, retained| {
        let view = RetainedView {
            matches: Some(&Regex::new("Row|bytes").unwrap()),
            ..*view
        };
        assert_eq!(
            view.text(heap, paths, retained),
            "\
type      count  bytes  retained   share  largest  path of the largest
shop.Row      2  128 B   20.1 kB  98.4 %  20.1 kB  sys.modules['shop'].ROW
bytes         2  20 kB     20 kB  97.8 %    10 kB  sys.modules['shop'].ROW.next.text
objects 9  bytes 20.4 kB
retained: what would be freed with all of them. Kinds overlap, so the sum is more than the heap.
"
        );
    });
}

#[test]
fn json_has_all_rows() {
    shown(|view, heap, paths, retained| {
        let document: Value = serde_json::from_slice(&view.json(heap, paths, retained)).unwrap();
        assert_eq!(document["schema"], "leakhunt.retained/1");
        assert_eq!(
            document["rows"].as_array().unwrap().len(),
            retained.rows.len()
        );
        let row = document["rows"].as_array().unwrap().iter();
        let row = row
            .into_iter()
            .find(|row| row["name"] == "shop.Row")
            .unwrap();
        assert_eq!((&row["objects"], &row["bytes"]), (&2.into(), &128.into()));
        assert_eq!(row["retained_bytes"], 20_128);
        assert_eq!(row["largest"]["path"], "sys.modules['shop'].ROW");
        assert_eq!(row["largest"]["evaluates"], true);
    });
}

#[test]
fn rows_over_the_limit_are_counted() {
    shown(|view, heap, paths, retained| {
        let text = view.text(heap, paths, retained);
        let n_more = retained.rows.len() - 2;
        assert!(text.contains(&format!("{n_more} more types\n")), "{text}");
    });
}

#[test]
fn an_estimate_is_explained_where_one_is_shown() {
    shown(|view, heap, paths, retained| {
        let mut retained = retained.clone();
        retained.rows[2].is_estimate = true;
        let explains = |limit| {
            let view = RetainedView { limit, ..*view };
            view.text(heap, paths, &retained).contains("~ an estimate")
        };
        assert!(!explains(Some(2)));
        assert!(explains(Some(3)));
    });
}
