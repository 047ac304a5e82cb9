use serde_json::json;

use crate::support::packages::packages;
use crate::support::snapshots::{Folder, objects_of};
use crate::support::{Interpreter, LIMIT, Start, all, eventually, on_each, python3, skipped};

/// What the zoo of extensions imports, installed each for itself: a wheel may be missing.
const PACKAGES: [&[&str]; 8] = [
    &["numpy", "pandas"],
    &["lxml"],
    &["pydantic"],
    &["sqlalchemy"],
    &["aiohttp"],
    &["cryptography"],
    &["gevent"],
    &["protobuf"],
];

fn n_captures() -> usize {
    match std::env::var_os("LEAKHUNT_STRESS") {
        Some(_) => 40,
        None => 3,
    }
}

/// `python3` and the newest interpreter that has wheels.
fn interpreters() -> Vec<&'static Interpreter> {
    let pyenv = |py: &&Interpreter| py.name.starts_with("pyenv") && py.sees_our_files();
    let newest = all().iter().filter(pyenv).max_by_key(|py| py.version);
    let mut chosen = vec![python3()];
    chosen.extend(newest.filter(|py| py.name != python3().name));
    chosen
}

#[test]
fn extension_types_at_work_are_captured_again_and_again() {
    on_each(interpreters(), |py| {
        let mut folders = Vec::new();
        for requirements in PACKAGES {
            match packages(py, requirements) {
                Ok(folder) => folders.push(folder),
                Err(reason) => skipped(&format!("{requirements:?} on {py}"), &reason),
            }
        }
        let mut start = Start::new(py, "extension_zoo");
        let path = std::env::join_paths(&folders).unwrap();
        start.command().env("PYTHONPATH", path);
        let mut target = start.ready();
        let loaded = target.eval("loaded");
        let missing = target.eval("missing");
        if missing != json!([]) {
            skipped(&format!("some extensions on {py}"), &missing.to_string());
        }
        assert!(
            !folders.is_empty() || loaded == json!([]),
            "{loaded} of no folder"
        );
        let works = "min(n_rounds.values(), default=1) > 0";
        let works = eventually(LIMIT, || (target.eval(works) == json!(true)).then_some(()));
        assert!(
            works.is_some(),
            "{loaded} do not work: {}",
            target.eval("failures")
        );
        let known_types = target.eval("known_types()");
        let words = "[state()[word] for word in ('atexit', 'gc', 'frozen', 'trace', 'signals')]";
        let before = target.eval(words);
        let mut n_objects = 0;
        for n_taken in 0..n_captures() {
            let folder = Folder::of(&target, &[]);
            let snapshot = folder.read();
            let capture = &snapshot.capture;
            assert_eq!(capture.skipped_type, "", "capture {n_taken} crashed there");
            assert_eq!(capture.n_violations, 0, "capture {n_taken}: {capture:?}");
            n_objects = n_objects.max(snapshot.n_objects());
            for key in known_types.as_array().unwrap() {
                let key = key.as_str().unwrap();
                assert!(
                    objects_of(&snapshot, key).next().is_some(),
                    "capture {n_taken} has no {key}"
                );
            }
        }
        assert!(n_objects > 50_000, "{n_objects} objects are no zoo");
        let rounds = target.eval("list(n_rounds.values())");
        assert_eq!(
            target.eval("[n_failed, failures]"),
            json!([0, []]),
            "work that failed, of {rounds} rounds"
        );
        // Sockets and threads of the work itself come and go.
        assert_eq!(target.eval(words), before, "what an attach must not change");
        target.finish_unharmed();
    });
}
