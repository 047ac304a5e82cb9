use serde_json::{Value, json};

use super::*;
use crate::caches::{Cache, caches};
use crate::render::inventory::samples::{HOW, first_look};
use crate::session::Row as ProbeRow;

fn cache(said: Value) -> Cache {
    let row = ProbeRow {
        address: 4096,
        type_name: "functools._lru_cache_wrapper".into(),
        size_bytes: 64,
        value: said,
    };
    caches(&[row]).0.remove(0)
}

fn two() -> [Cache; 2] {
    [
        cache(json!({
            "kind": "lru_cache", "hits": 0, "misses": 1200, "size": 1200, "has_limit": false,
            "function": "shop.Cart.total\u{1b}[2J", "file": "/srv/shop.py", "line": 12,
            "first_parameter": "self", "first_argument": "shop.Cart", "n_first_arguments": 500,
            "is_method": true,
        })),
        cache(json!({
            "kind": "lru_cache", "hits": 3, "misses": 1, "size": 1, "max_size": 128,
            "has_limit": true, "function": "shop.price",
        })),
    ]
}

fn shown(listing: &Listing<Cache>, how: &How) -> String {
    String::from_utf8(lru(listing, &[], how)).unwrap()
}

#[test]
fn a_table_says_what_is_wrong_with_a_cache() {
    assert_eq!(
        shown(&first_look(two()), &HOW),
        "\
cache                      size  limit  hits  misses  hit rate  retained  at                            note
shop.Cart.total\\x1b[2J *  1,200   none     0   1,200       0 %            /srv/shop.py:12               unbounded, never hits, keeps 500 shop.Cart alive
shop.price                    1    128     3       1      75 %            functools._lru_cache_wrapper
2 caches  pause 3 ms
"
    );
}

#[test]
fn a_limit_says_how_many_it_hides() {
    let how = How { limit: 1, ..HOW };
    let text = shown(&first_look(two()), &how);
    assert!(text.contains("2 caches, 1 not shown"), "{text}");
    assert!(!text.contains("shop.price"), "{text}");
}

#[test]
fn a_second_look_shows_what_grew() {
    let mut listing = Listing {
        look: 2,
        is_repeated: true,
        n_gone: 1,
        ..first_look(two())
    };
    let mut before = listing.items[0].item.clone();
    before.size = Some(1150);
    before.misses = Some(1000);
    listing.items[0].item.compare(&before);
    listing.items[1].is_new = true;
    let text = shown(&listing, &HOW);
    assert!(text.starts_with("look 2\n"), "{text}");
    assert!(text.contains("+50"), "size: {text}");
    assert!(text.contains("+200"), "misses: {text}");
    assert!(
        text.contains("_lru_cache_wrapper") && text.contains("new"),
        "{text}"
    );
    assert!(text.contains("1 gone since the last look"), "{text}");
}

#[test]
fn json_is_the_documented_schema() {
    let how = How {
        format: InventoryFormat::Json,
        ..HOW
    };
    let [one, _] = two();
    let document: Value = serde_json::from_str(&shown(&first_look([one]), &how)).unwrap();
    assert_eq!(
        document,
        json!({
            "schema": "leakhunt.lru/1", "pid": 4121, "time": "1970-01-01T00:00:00.000Z", "look": 1,
            "pause_ms": 3.0, "n_caches": 1, "n_gone": 0, "n_missing": 0,
            "caches": [{
                "address": 4096, "kind": "lru_cache", "type": "functools._lru_cache_wrapper",
                "name": "shop.Cart.total\u{1b}[2J", "function": "shop.Cart.total\u{1b}[2J",
                "file": "/srv/shop.py", "line": 12, "hits": 0, "misses": 1200, "hit_percent": 0.0,
                "uses": null, "size": 1200, "weight": null, "max_size": null, "bounded": false,
                "first_argument": "shop.Cart", "first_arguments": 500, "keeps_self": true,
                "retained_bytes": null, "path": null, "holder": null,
                "marks": ["unbounded", "never_hits"], "is_new": false, "hits_delta": null,
                "misses_delta": null, "size_delta": null,
            }],
        })
    );
}

#[test]
fn home_assistants_lines_are_as_they_came() {
    let how = How {
        format: InventoryFormat::Ha,
        limit: 1,
        ..HOW
    };
    let line = |text: &str| HaLine {
        group: 0,
        place: 0,
        text: text.into(),
    };
    let text = lru(
        &first_look(two()),
        &[line("Cache stats"), line("more")],
        &how,
    );
    assert_eq!(text, b"Cache stats\n");
}
