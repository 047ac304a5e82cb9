use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::packages::packages;
use crate::support::{
    Interpreter, Leakhunt, Start, Target, all, few, on_each, python3, skipped, unharmed_look,
};

const PACKAGES: [&str; 4] = ["lru-dict", "cachetools", "SQLAlchemy", "async-lru"];

/// Takes the inventory of the target, which must be unharmed by it.
fn look(target: &mut Target, args: &[&str]) -> Value {
    unharmed_look(target, "lru", args)
}

fn caches(document: &Value) -> &[Value] {
    document["caches"].as_array().unwrap()
}

/// The one cache of a name.
#[track_caller]
fn named<'d>(document: &'d Value, name: &str) -> &'d Value {
    let of_name: Vec<_> = caches(document)
        .iter()
        .filter(|cache| cache["name"] == name)
        .collect();
    assert_eq!(of_name.len(), 1, "{name} in {document:#}");
    of_name[0]
}

/// A target with the packages' caches, or why there is none.
fn with_packages(interpreter: &Interpreter) -> Option<Target> {
    match packages(interpreter, &PACKAGES) {
        Ok(folder) => {
            let start = Start::new(interpreter, "caches").packages(&folder);
            let mut target = start.ready();
            target.exec("load_packages()");
            Some(target)
        }
        Err(reason) => {
            skipped(&format!("caches of packages on {interpreter}"), &reason);
            None
        }
    }
}

#[test]
fn numbers_are_those_of_cache_info() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "caches");
        let expected = target.eval("infos()");
        let document = look(&mut target, &[]);
        let told: BTreeMap<String, Value> = caches(&document)
            .iter()
            .filter(|cache| cache["kind"] == "lru_cache")
            .map(|cache| {
                let info = ["hits", "misses", "max_size", "size"].map(|key| cache[key].clone());
                (cache["address"].to_string(), json!(info))
            })
            .collect();
        assert!(told.len() >= 4, "{document:#}");
        assert_eq!(json!(told), expected);
        target.finish_unharmed();
    });
}

#[test]
fn caches_that_are_of_no_use_are_marked_and_come_first() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "caches");
        let document = look(&mut target, &["--match", "^__main__"]);
        let total = named(&document, "__main__.Cart.total");
        assert_eq!(total["marks"], json!(["unbounded", "never_hits"]));
        assert_eq!(total["keeps_self"], true);
        assert_eq!(total["first_argument"], "__main__.Cart");
        assert_eq!(total["first_arguments"], 120);
        let retained = total["retained_bytes"].as_u64().unwrap();
        assert!(retained > 120 * 100, "120 lists of 10 are in it: {total:#}");
        let thrashed = named(&document, "__main__.thrashed");
        assert_eq!(thrashed["marks"], json!(["never_hits"]));
        assert_eq!(named(&document, "__main__.useful")["marks"], json!([]));
        assert_eq!(named(&document, "__main__.constant")["marks"], json!([]));
        let marked: Vec<bool> = caches(&document)
            .iter()
            .map(|cache| cache["marks"] != json!([]) && cache["size"] != json!(0))
            .collect();
        assert!(marked.is_sorted_by(|one, other| one >= other), "{marked:?}");
        target.finish_unharmed();
    });
}

#[test]
fn caches_of_packages_have_the_numbers_that_they_tell() {
    on_each(few(), |py| {
        let Some(mut target) = with_packages(py) else {
            return;
        };
        let document = look(&mut target, &[]);
        let at = |target: &mut Target, expression: &str| -> Value {
            let address = target.eval(&format!("id({expression})"));
            let found = caches(&document)
                .iter()
                .find(|one| one["address"] == address);
            found
                .unwrap_or_else(|| panic!("no {expression} in {document:#}"))
                .clone()
        };
        for cache in ["manager.recent", "deep['only'][0]"] {
            let told = at(&mut target, cache);
            let numbers = json!([told["hits"], told["misses"]]);
            assert_eq!(
                numbers,
                target.eval(&format!("list({cache}.get_stats())")),
                "{cache}"
            );
            assert_eq!(
                told["size"],
                target.eval(&format!("len({cache})")),
                "{cache}"
            );
            assert_eq!(
                told["max_size"],
                target.eval(&format!("{cache}.get_size()")),
                "{cache}"
            );
            assert_eq!(told["kind"], "lru_dict");
        }
        for cache in ["own", "shop.prices", "limited", "decorated.cache"] {
            let told = at(&mut target, cache);
            assert_eq!(
                told["size"],
                target.eval(&format!("{cache}.currsize")),
                "{cache}"
            );
            assert_eq!(
                told["max_size"],
                target.eval(&format!("{cache}.maxsize")),
                "{cache}"
            );
            assert_eq!(told["kind"], "cachetools");
        }
        let decorated = at(&mut target, "decorated.cache");
        assert_eq!(decorated["function"], "__main__.decorated");
        let numbers = json!([decorated["hits"], decorated["misses"]]);
        assert_eq!(numbers, target.eval("list(decorated.cache_info())[:2]"));
        let fetch = at(&mut target, "fetch");
        let numbers = ["hits", "misses", "max_size", "size"].map(|key| fetch[key].clone());
        assert_eq!(json!(numbers), target.eval("list(fetch.cache_info())"));
        let compiled = at(&mut target, "engine._compiled_cache");
        assert_eq!(compiled["name"], "compiled cache of engine sqlite");
        assert_eq!(compiled["size"], target.eval("len(engine._compiled_cache)"));
        assert_eq!(compiled["max_size"], 500);
        target.finish_unharmed();
    });
}

#[test]
fn what_a_cache_of_lru_dict_holds_is_retained_by_it() {
    on_each(few(), |py| {
        let Some(mut target) = with_packages(py) else {
            return;
        };
        let held = target.eval("sys.getsizeof(deep['only'][0]['held'])");
        let address = target.eval("id(deep['only'][0])");
        let document = look(&mut target, &["--match", "deep"]);
        let told = caches(&document)
            .iter()
            .find(|one| one["address"] == address);
        let told = told.unwrap_or_else(|| panic!("no deep in {document:#}"));
        let retained = told["retained_bytes"].as_u64();
        assert!(retained > held.as_u64(), "{held} in {told:#}");
        target.finish_unharmed();
    });
}

#[test]
fn a_dict_that_a_decorator_fills_is_an_unbounded_cache() {
    on_each(few(), |py| {
        let Some(mut target) = with_packages(py) else {
            return;
        };
        let cells = "[cell.cell_contents for cell in memo.__closure__ or ()]";
        let expected = target.eval(&format!(
            "id(getattr(memo, 'cache', None) if hasattr(memo, 'cache') else \
             [one for one in {cells} if type(one) is dict][0])"
        ));
        let document = look(&mut target, &[]);
        let memo = named(&document, "__main__.memo");
        assert_eq!(memo["address"], expected, "{memo:#}");
        assert_eq!(memo["size"], 2);
        assert_eq!(memo["bounded"], false);
        assert_eq!(memo["marks"], json!(["unbounded"]));
        assert_eq!(memo["type"], "dict");
        assert!(memo["retained_bytes"].as_u64() > Some(200), "{memo:#}");
        target.finish_unharmed();
    });
}

#[test]
fn lines_are_those_of_home_assistant() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "caches");
        let mut expected: Vec<String> = serde_json::from_value(target.eval("ha_lines()")).unwrap();
        let done = Leakhunt::at(target.pid, "lru", &["--format", "ha"])
            .run()
            .expect(0);
        let mut told: Vec<_> = done.stdout.lines().map(str::to_owned).collect();
        // `inspect` has caches of its own, once it is imported; the first call has imported it.
        expected.sort();
        told.sort();
        assert_eq!(told, expected);
        target.finish_unharmed();
    });
}

#[test]
fn home_assistants_line_for_lru_dict_is_of_its_five_classes() {
    let Some(mut target) = with_packages(python3()) else {
        return;
    };
    let done = Leakhunt::at(target.pid, "lru", &["--format", "ha"])
        .run()
        .expect(0);
    let told: Vec<_> = done.stdout.lines().collect();
    let of_lru: Vec<_> = told
        .iter()
        .filter(|line| line.contains("for LRU"))
        .collect();
    let class = target.eval("str(type(manager))");
    let stats = target.eval("str(manager.recent.get_stats())");
    let expected = format!(
        "Cache stats for LRU {} at unknown: {}",
        class.as_str().unwrap(),
        stats.as_str().unwrap()
    );
    assert_eq!(of_lru, [&expected.as_str()]);
    let of_sqlalchemy = told
        .iter()
        .filter(|line| line.starts_with("Cache data for sqlalchemy LRUCache <"));
    let n_entries = target.eval("len(engine._compiled_cache)");
    assert_eq!(json!(of_sqlalchemy.count()), n_entries);
    target.finish_unharmed();
}

#[test]
fn hostile_functions_hide_their_own_names_only() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "caches");
        target.exec("hostile += [cache_of(Raising()), cache_of(Hanging())]");
        let document = look(&mut target, &["--quick"]);
        let raising = target.eval("id(hostile[0])");
        let raising = caches(&document)
            .iter()
            .find(|one| one["address"] == raising);
        let raising = raising.unwrap_or_else(|| panic!("{document:#}"));
        assert_eq!(raising["misses"], 1, "{raising:#}");
        assert_eq!(document["n_missing"], 1, "the one that hangs: {document:#}");
        named(&document, "__main__.useful");
        assert_eq!(target.eval("gc.isenabled()"), true);
        target.finish_unharmed();
    });
}

#[test]
fn a_second_look_tells_what_is_new_and_what_grew() {
    let mut target = Target::start(python3(), "caches");
    let args = ["--json", "--quick", "--interval", "2", "--count", "2"];
    let mut running = Leakhunt::at(target.pid, "lru", &args).start();
    let first: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(named(&first, "__main__.useful")["is_new"], false);
    assert_eq!(named(&first, "__main__.useful")["size_delta"], Value::Null);
    target.exec("late = functools.lru_cache()(lambda: 1); [useful(n) for n in range(100, 103)]");
    let second: Value = serde_json::from_str(&running.line()).unwrap();
    let useful = named(&second, "__main__.useful");
    assert_eq!(useful["size_delta"], 3, "{useful:#}");
    assert_eq!(useful["misses_delta"], 3, "{useful:#}");
    let new: Vec<_> = caches(&second)
        .iter()
        .filter(|one| one["is_new"] == true)
        .collect();
    assert_eq!(new.len(), 1, "{second:#}");
    assert_eq!(new[0]["name"], "__main__.<lambda>");
    running.end(crate::support::LIMIT).expect(0);
    target.finish_unharmed();
}

#[test]
fn nothing_to_match_is_an_empty_table() {
    let target = Target::start(python3(), "caches");
    let args = ["--quick", "--match", "no such cache"];
    let done = Leakhunt::at(target.pid, "lru", &args).run().expect(0);
    assert!(done.stdout.contains("0 caches"), "{done:#?}");
}
