use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::packages::objgraph_source;
use crate::support::{
    Fingerprint, Leakhunt, Target, all, assert_unharmed, few, on_each, python3, skipped,
};

/// The objects of a `dump --json`: each JSON object in it that has an address.
fn objects(document: &Value) -> Vec<&Value> {
    match document {
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        Value::Object(fields) if fields.contains_key("address") => vec![document],
        Value::Object(fields) => fields.values().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

/// The text of one object.
fn text(object: &Value) -> &str {
    object["text"]
        .as_str()
        .unwrap_or_else(|| panic!("no `repr` in {object}"))
}

/// How often each text is there.
fn multiset<'t>(texts: impl IntoIterator<Item = &'t str>) -> BTreeMap<&'t str, usize> {
    let mut counts = BTreeMap::new();
    for text in texts {
        *counts.entry(text).or_insert(0) += 1;
    }
    counts
}

/// Dumps a type of the target, which must be unharmed by it.
fn dump(target: &mut Target, name: &str, args: &[&str]) -> Value {
    let before = Fingerprint::of(target);
    let done = Leakhunt::at(target.pid, "dump", &["--json", "--type", name])
        .args(args)
        .run();
    let document = done.expect(0).json();
    assert_unharmed(&before, target);
    document
}

#[test]
fn reprs_are_those_that_objgraph_finds() {
    let objgraph = objgraph_source();
    on_each(all(), |py| {
        let source = match &objgraph {
            Ok(source) => source,
            Err(reason) => return skipped("comparison with objgraph", reason),
        };
        let mut target = Target::start(py, "shop");
        target.exec(&format!("load_objgraph({})", json!(source)));
        target.exec("step(50); others = [shop.cache.Template() for _ in range(3)]");
        for name in ["Template", "__main__.Template", "shop.cache.Template"] {
            let expected = target.eval(&format!("[repr(o) for o in objgraph.by_type({name:?})]"));
            let expected: Vec<String> = serde_json::from_value(expected).unwrap();
            let document = dump(&mut target, name, &["--limit", "0"]);
            let found = objects(&document);
            assert_eq!(
                multiset(found.iter().map(|object| text(object))),
                multiset(expected.iter().map(String::as_str)),
                "{name}"
            );
            let addresses = target.eval(&format!("sorted(map(id, objgraph.by_type({name:?})))"));
            let mut told: Vec<_> = found.iter().map(|object| address(object)).collect();
            told.sort_unstable();
            assert_eq!(json!(told), addresses, "{name}");
        }
        target.finish_unharmed();
    });
}

/// An address, which JSON may hold as a number or as hexadecimal text.
fn address(object: &Value) -> u64 {
    match &object["address"] {
        Value::String(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap(),
        number => number.as_u64().unwrap(),
    }
}

#[test]
fn a_line_is_as_home_assistant_writes_it() {
    let mut target = Target::start(python3(), "shop");
    target.exec("step(2)");
    let done = Leakhunt::at(target.pid, "dump", &["--type", "Template"])
        .run()
        .expect(0);
    let expected = "Template object in memory: <Template 1>";
    assert!(done.stdout.contains(expected), "{done:#?}");
}

#[test]
fn a_repr_that_raises_is_told_and_the_rest_comes() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "hostile_reprs");
        let document = dump(&mut target, "Raising", &[]);
        let found = multiset(objects(&document).into_iter().map(text));
        assert_eq!(
            found,
            [("Failed to serialize <class '__main__.Raising'>", 3)].into()
        );
        target.finish_unharmed();
    });
}

#[test]
fn an_endless_repr_is_cut_off_and_the_rest_comes() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "hostile_reprs");
        let document = dump(&mut target, "Looping", &[]);
        let found = objects(&document);
        assert_eq!(found.len(), 3, "{document}");
        let whole = found
            .iter()
            .filter(|object| object["text"] == "<a short one>")
            .count();
        assert_eq!(whole, 2, "{document}");
        target.finish_unharmed();
    });
}

#[test]
fn what_a_repr_prints_is_not_seen() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "hostile_reprs");
        let document = dump(&mut target, "Printing", &[]);
        let found = multiset(objects(&document).into_iter().map(text));
        assert_eq!(found, [("<Printing>", 3)].into());
        target.finish_unharmed();
    });
}

#[test]
fn a_repr_that_ends_or_crashes_its_process_does_not_end_the_target() {
    on_each(few(), |py| {
        for name in ["Exiting", "Crashing"] {
            let mut target = Target::start(py, "hostile_reprs");
            let before = Fingerprint::of(&mut target);
            Leakhunt::at(target.pid, "dump", &["--json", "--type", name]).run();
            assert_unharmed(&before, &mut target);
            target.finish_unharmed();
        }
    });
}

#[test]
fn a_huge_repr_is_cut_to_max_chars() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "hostile_reprs");
        let document = dump(&mut target, "Huge", &[]);
        assert!(
            text(objects(&document)[0]).starts_with("xxxx"),
            "the default is not endless"
        );
        let document = dump(&mut target, "Huge", &["--max-chars", "10"]);
        let text = text(objects(&document)[0]);
        assert!(
            text.starts_with("xxxxxxxxx") && text.chars().count() <= 11,
            "{text:?}"
        );
        let document = dump(&mut target, "Unicode", &[]);
        assert!(
            objects(&document)[0]["text"]
                .as_str()
                .unwrap()
                .contains("naïve 🐍"),
            "{document}"
        );
        target.finish_unharmed();
    });
}

#[test]
fn the_limit_is_obeyed_and_the_number_of_all_is_told() {
    let mut target = Target::start(python3(), "shop");
    target.exec("step(50)");
    let document = dump(&mut target, "__main__.Template", &["--limit", "7"]);
    assert_eq!(objects(&document).len(), 7, "{document}");
    let args = ["--type", "__main__.Template", "--limit", "7"];
    let done = Leakhunt::at(target.pid, "dump", &args).run().expect(0);
    let told = format!("{}{}", done.stdout, done.stderr);
    assert!(told.contains("50"), "that there are 50: {told}");
}

#[test]
fn a_safe_dump_runs_no_code_of_the_target() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "hostile_reprs");
        let document = dump(&mut target, "Recording", &["--safe"]);
        let found = objects(&document);
        assert_eq!(found.len(), 5, "{document}");
        assert!(
            text(found[0]).contains("secret"),
            "its attributes are read: {document}"
        );
        // What runs in the copy does not change the target, so the proof is in what is told.
        assert!(!text(found[0]).contains("<Recording>"), "{document}");
        let size = &found[0]["size_bytes"];
        assert_ne!(size, 4242, "`__sizeof__` is code of the target");
        let safe = dump(&mut target, "Exiting", &["--safe"]);
        assert_eq!(
            objects(&safe).len(),
            1,
            "`__repr__` would have ended the copy: {safe}"
        );
        assert_eq!(target.eval("calls"), json!([]));
        target.finish_unharmed();
    });
}

#[test]
fn a_repr_changes_nothing_in_the_target() {
    on_each(all(), |py| {
        let mut target = Target::start(py, "hostile_reprs");
        let document = dump(&mut target, "Recording", &[]);
        assert_eq!(
            multiset(objects(&document).into_iter().map(text)),
            [("<Recording>", 5)].into()
        );
        assert_eq!(target.eval("calls"), json!([]), "the reprs ran in a copy");
        target.finish_unharmed();
    });
}

#[test]
fn nothing_found_names_what_is_near() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "shop");
        target.exec("step(3)");
        let done = Leakhunt::at(target.pid, "dump", &["--type", "Templat"])
            .run()
            .expect(1);
        let told = format!("{}{}", done.stdout, done.stderr);
        assert!(told.contains("Template"), "{done:#?}");
        let done = Leakhunt::at(target.pid, "dump", &["--type", "Zyxwvu"])
            .run()
            .expect(1);
        let told = format!("{}{}", done.stdout, done.stderr);
        assert!(told.contains("Zyxwvu"), "{done:#?}");
        target.finish_unharmed();
    });
}
