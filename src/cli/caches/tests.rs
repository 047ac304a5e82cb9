use serde_json::{Value, json};

use super::*;

fn row(address: u64, type_name: &str, value: Value) -> Row {
    Row {
        address,
        type_name: type_name.into(),
        size_bytes: 100,
        value,
    }
}

fn numbers(hits: u64, misses: u64, size: u64, max_size: Option<u64>) -> Cache {
    let said = json!({
        "kind": "lru_cache", "hits": hits, "misses": misses, "size": size, "max_size": max_size,
        "has_limit": max_size.is_some(), "takes_arguments": true, "function": "shop.price",
    });
    let (mut found, _) = caches(&[row(1, "functools._lru_cache_wrapper", said)]);
    found.remove(0)
}

#[test]
fn a_decorator_gives_its_cache_a_name_and_counts() {
    let rows = [
        row(
            5,
            "builtins.function",
            json!({"kind": "decorator", "cache": 7, "hits": 3, "misses": 1,
                   "function": "shop.price", "file": "/shop.py", "line": 12}),
        ),
        row(
            7,
            "cachetools.LRUCache",
            json!({"kind": "cachetools", "size": 1, "weight": 1, "max_size": 4, "has_limit": true}),
        ),
        row(
            8,
            "cachetools.TTLCache",
            json!({"kind": "cachetools", "size": 2}),
        ),
        row(
            6,
            "",
            json!({"kind": "name", "cache": 8, "name": "compiled cache of engine x"}),
        ),
    ];
    let (found, lines) = caches(&rows);
    assert_eq!(found.len(), 2, "a decorator is no cache");
    assert_eq!(found[0].name(), "shop.price");
    assert_eq!((found[0].hits, found[0].line), (Some(3), Some(12)));
    assert_eq!(found[0].hit_percent(), Some(75.0));
    assert_eq!(found[1].name(), "compiled cache of engine x");
    assert_eq!(found[1].has_limit, None);
    assert!(lines.is_empty());
}

#[test]
fn rows_that_are_not_of_the_probe_are_passed_over() {
    let rows = [
        row(1, "x", json!({"kind": "lru_cache", "hits": "many"})),
        row(2, "x", json!([1])),
        row(3, "x", json!({"kind": "surprise"})),
        row(
            4,
            "x",
            json!({"kind": "keys", "first_argument": "shop.Cart"}),
        ),
    ];
    assert_eq!(caches(&rows).0, []);
}

#[test]
fn a_cache_without_a_limit_is_marked_unless_it_can_have_one_entry_only() {
    let mut cache = numbers(5, 5, 5, None);
    assert_eq!(cache.marks(), [Mark::Unbounded]);
    cache.takes_arguments = Some(false);
    assert_eq!(cache.marks(), []);
    cache.takes_arguments = None;
    cache.has_limit = None;
    assert_eq!(cache.marks(), [], "it is not known whether it has one");
}

#[test]
fn hit_rates_are_judged_after_enough_calls() {
    assert_eq!(numbers(0, 99, 8, Some(128)).marks(), []);
    assert_eq!(numbers(0, 100, 8, Some(128)).marks(), [Mark::NeverHits]);
    assert_eq!(
        numbers(1, 99, 8, Some(128)).marks(),
        [],
        "1 % is not below 1 %"
    );
    assert_eq!(numbers(5, 95, 8, Some(8)).marks(), [Mark::OnlyMisses]);
    assert_eq!(numbers(5, 95, 7, Some(8)).marks(), [], "it is not full");
    assert_eq!(numbers(10, 90, 8, Some(8)).marks(), []);
    assert_eq!(
        numbers(0, 500, 0, Some(0)).marks(),
        [],
        "it is to keep nothing"
    );
    assert_eq!(
        numbers(0, u64::MAX, 8, Some(128)).marks(),
        [Mark::NeverHits]
    );
}

#[test]
fn what_changed_between_looks_tells_a_cache_that_only_misses_by_now() {
    let mut now = numbers(90, 40, 8, Some(8));
    assert_eq!(now.marks(), []);
    now.compare(&numbers(90, 20, 6, Some(8)));
    assert_eq!(
        now.since,
        Some(Since {
            hits: 0,
            misses: 20,
            size: 2
        })
    );
    assert_eq!(now.marks(), [Mark::OnlyMisses]);
    now.compare(&numbers(89, 20, 6, Some(8)));
    assert_eq!(now.marks(), [], "there was a hit");
}

#[test]
fn methods_keep_the_objects_that_they_are_of() {
    let mut cache = numbers(0, 3, 3, None);
    assert!(!cache.keeps_self());
    cache.first_arguments = Some(FirstArguments {
        type_name: "shop.Cart".into(),
        n_objects: 3,
        is_method: false,
    });
    assert!(!cache.keeps_self(), "a function may take objects");
    cache.first_parameter = Some("self".into());
    assert!(cache.keeps_self());
}

#[test]
fn marked_caches_come_first_then_those_that_keep_most() {
    let named = |name: &str, mut cache: Cache, retained_bytes: u64| {
        cache.function = Some(name.into());
        cache.held = Some(Held {
            retained_bytes,
            ..Held::default()
        });
        cache
    };
    let mut caches = vec![
        named("small", numbers(9, 1, 1, Some(8)), 10),
        named("large", numbers(9, 1, 1, Some(8)), 1000),
        named("unbounded", numbers(9, 1, 1, None), 1),
        named("empty", numbers(9, 1, 0, None), 0),
    ];
    sort(&mut caches);
    let names: Vec<_> = caches.iter().map(Cache::name).collect();
    assert_eq!(names, ["unbounded", "large", "small", "empty"]);
}

#[test]
fn home_assistants_lines_come_by_kind() {
    let line =
        |group: u64, text: &str| row(1, "x", json!({"kind": "ha", "group": group, "text": text}));
    let (_, lines) = caches(&[
        line(6, "sql"),
        line(0, "b"),
        line(1, "events"),
        line(0, "a"),
    ]);
    let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        texts,
        ["b", "a", "events", "sql"],
        "within a kind as they came"
    );
}
