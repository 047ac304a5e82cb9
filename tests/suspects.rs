use std::path::Path;

use serde_json::{Value, json};

use crate::show::{file, look, table};
use crate::support::snapshots::Folder;
use crate::support::{
    Finished, Interpreter, Leakhunt, Start, Target, few, on_each, python3, scratch_file,
};

fn suspects(file: &Path, options: &[&str]) -> Finished {
    Leakhunt::new(["suspects"]).arg(file).args(options).run()
}

/// The document of `suspects --json`.
fn found(file: &Path) -> Value {
    suspects(file, &["--json"]).expect(0).json()
}

/// A target with the last snapshot of it.
struct Growing {
    target: Target,
    last: Folder,
}

impl Growing {
    /// What `suspects --baseline --json` says of what the target does in one step.
    fn step(&mut self, step: &str) -> Value {
        self.target.eval(step);
        let now = Folder::of(&self.target, &[]);
        let before = std::mem::replace(&mut self.last, now);
        let baseline = before.path().to_str().unwrap();
        suspects(self.last.path(), &["--json", "--baseline", baseline])
            .expect(0)
            .json()
    }
}

/// Place and the type that it holds most of.
#[track_caller]
fn assert_first(found: &Value, place: &str, held: &str, n_held: u64) {
    let first = &found["suspects"][0];
    assert_eq!(first["place"], place, "{found:#}");
    assert_eq!(first["holds"][0]["type"], held, "{first:#}");
    assert_eq!(first["holds"][0]["objects"], n_held, "{first:#}");
}

/// Whether the path, evaluated in the target, gives the object.
#[track_caller]
fn assert_evaluates(target: &mut Target, suspect: &Value) {
    assert_eq!(suspect["evaluates"], true, "{suspect:#}");
    let path = suspect["path"].as_str().unwrap();
    assert_eq!(target.eval(&format!("id({path})")), suspect["address"]);
}

#[test]
fn a_registry_behind_an_attribute_is_named_first() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "big_places");
        target.eval("fill_registry(12000)");
        let folder = Folder::of(&target, &[]);
        let found = found(folder.path());
        let place = "__main__.SERVICE.registry.sessions";
        assert_first(&found, place, "__main__.Session", 12000);
        let first = &found["suspects"][0];
        assert_evaluates(&mut target, first);
        assert_eq!(first["package"], "__main__");
        let size = target.eval("sys.getsizeof(SERVICE.registry.sessions)");
        assert_eq!(first["shallow_bytes"], size);
        let token = target.eval("sys.getsizeof(bytearray(200)) * 12000");
        assert!(first["retained_bytes"].as_u64() > token.as_u64());
        assert!(first["share"].as_f64().unwrap() > 0.3, "{first:#}");
        let told = suspects(folder.path(), &[]).expect(0).stdout;
        assert!(
            told.contains(&format!("\n1. {place} (dict) holds ")),
            "{told}"
        );
        assert!(
            told.contains("One snapshot shows size, not growth"),
            "{told}"
        );
    });
}

#[test]
fn what_two_registries_hold_is_in_the_place_of_one() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "big_places");
        target.eval("fill_two(12000)");
        let folder = Folder::of(&target, &[]);
        let found = found(folder.path());
        assert_first(&found, "__main__.BY_NAME", "__main__.Job", 12000);
        let first = &found["suspects"][0];
        assert_eq!(first["shape"], "group");
        assert_eq!(first["sample"], json!({"objects": 10000, "through": 10000}));
        assert_evaluates(&mut target, first);
    });
}

#[test]
fn a_leaking_fixture_is_named_first() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/python-fixtures");
    let start = |py: &Interpreter| {
        Start::new(py, "fixture_host")
            .arg(folder)
            .arg("leaky_registry")
            .ready()
    };
    on_each(few(), |py| {
        let mut target = start(py);
        target.exec("for guest in range(20000): fixture.arrive('guest %d' % guest)");
        let folder = Folder::of(&target, &[]);
        let found = found(folder.path());
        let place = "leaky_registry.REGISTRY['rooms']['lobby']";
        assert_first(&found, place, "leaky_registry.Seat", 20000);
        assert_eq!(found["suspects"][0]["package"], "leaky_registry");
        assert_evaluates(&mut target, &found["suspects"][0]);
    });
}

#[test]
fn a_heap_without_anything_big_says_so() {
    on_each(few(), |py| {
        let target = Target::start(py, "idle");
        let folder = Folder::of(&target, &[]);
        assert_eq!(found(folder.path())["suspects"], json!([]));
        let told = suspects(folder.path(), &[]).expect(0).stdout;
        assert!(told.contains("no place holds 10 % of the heap"), "{told}");
    });
}

#[test]
fn what_grew_since_the_baseline_is_named_not_what_is_large() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "big_places");
        target.eval("fill_registry(12000)");
        let last = Folder::of(&target, &[]);
        let mut growing = Growing { target, last };
        let registry = "__main__.SERVICE.registry.sessions";
        let found = growing.step("fill_rows(3000)");
        assert_first(&found, "__main__.ROWS", "__main__.Row", 2000);
        assert_eq!(found["suspects"].as_array().unwrap().len(), 1, "{found:#}");
        let found = growing.step("fill_registry(4000)");
        assert_first(&found, registry, "__main__.Session", 4000);
        let found = growing.step("fill_two(6000)");
        assert_first(&found, "__main__.BY_NAME", "__main__.Job", 6000);
        let found = growing.step("None");
        assert_eq!(found["suspects"], json!([]));
    });
}

#[test]
fn a_type_retains_what_only_its_objects_have_references_to() {
    on_each(few(), |py| {
        let mut target = Target::start(py, "big_places");
        target.eval("fill_rows(3000)");
        let lost = target.eval("lost_with(Row)");
        let folder = Folder::of(&target, &[]);
        let retained = |options: &[&str]| {
            let run = Leakhunt::new(["retained", "--json"]).arg(folder.path());
            let document = run.args(options).run().expect(0).json();
            let rows = document["rows"].as_array().unwrap().clone();
            move |name: &str| rows.iter().find(|row| row["name"] == name).cloned()
        };
        let row = retained(&["--by", "type"])("__main__.Row").unwrap();
        assert_eq!(json!([row["objects"], row["retained_bytes"]]), lost);
        assert!(row["retained_bytes"].as_u64() > row["bytes"].as_u64());
        let path = row["largest"]["path"].as_str().unwrap();
        assert_eq!(
            target.eval(&format!("id({path})")),
            row["largest"]["address"]
        );
        let main = retained(&["--by", "module"])("__main__").unwrap();
        assert!(main["retained_bytes"].as_u64() > row["retained_bytes"].as_u64());
    });
}

#[test]
fn files_without_references_are_refused_with_what_to_take_instead() {
    let hpy = file("a.hpy", table(&[("shop.Row", 3, 168)]));
    let log = file("growth.jsonl", look(1, &[("str", 1, 50)]));
    for command in ["suspects", "retained"] {
        for (path, sort) in [(&hpy, "an .hpy file"), (&log, "a growth log")] {
            Leakhunt::new([command])
                .arg(path)
                .run()
                .expect(2)
                .expect_stderr(sort)
                .expect_stderr("leakhunt snapshot --pid PID -o heap.leakhunt");
        }
        let missing = Leakhunt::new([command]).arg(scratch_file("none.leakhunt"));
        missing.run().expect(2).expect_stderr("cannot read");
    }
}

#[test]
fn a_baseline_that_is_later_is_warned_of() {
    let target = Target::start(python3(), "idle");
    let (first, second) = (Folder::of(&target, &[]), Folder::of(&target, &[]));
    let later = second.path().to_str().unwrap();
    suspects(first.path(), &["--baseline", later])
        .expect(0)
        .expect_stderr("the wrong way round");
}
