use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use leakhunt_heap::{Objects, RootKind, Snapshot, StrId};
use serde_json::json;

use crate::support::snapshots::{Folder, names_of, objects_of};
use crate::support::{
    Fingerprint, Interpreter, LIMIT, Leakhunt, Start, Target, all, assert_unharmed, few, on_each,
    scratch_file, skipped,
};

/// An object as the target's own interpreter tells it.
#[derive(Debug)]
struct Known {
    type_address: u64,
    size_bytes: u64,
    is_tracked: bool,
    referents: Vec<u64>,
}

/// What `closure()` of the zoo wrote.
fn known(file: &[u8]) -> BTreeMap<u64, Known> {
    let mut numbers = file
        .chunks_exact(8)
        .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    let mut known = BTreeMap::new();
    while let Some(address) = numbers.next() {
        let mut next = || numbers.next().expect("whole records");
        let (type_address, size_bytes, is_tracked) = (next(), next(), next() == 1);
        let referents = (0..next()).map(|_| numbers.next().unwrap()).collect();
        let one = Known {
            type_address,
            size_bytes,
            is_tracked,
            referents,
        };
        known.insert(address, one);
    }
    known
}

/// Some of what went wrong, for a message.
#[derive(Default)]
struct Complaints {
    n: usize,
    text: String,
}

impl Complaints {
    fn add(&mut self, what: std::fmt::Arguments<'_>) {
        self.n += 1;
        if self.n <= 12 {
            let _ = writeln!(self.text, "  {what}");
        }
    }

    fn check(&self, what: &str) {
        assert!(self.n == 0, "{what}: {}\n{}", self.n, self.text);
    }
}

fn name(snapshot: &Snapshot, address: u64) -> String {
    let object = snapshot.objects.at(address);
    let kind = object.map_or("nothing".into(), |object| snapshot.type_of(object).key());
    format!("{address:#x} {kind}")
}

fn check_objects(snapshot: &Snapshot, known: &BTreeMap<u64, Known>) {
    let mut complaints = Complaints::default();
    let mut has_room = false;
    for (&address, one) in known {
        let Some(object) = snapshot.objects.at(address) else {
            complaints.add(format_args!("{address:#x} is missing: {one:?}"));
            continue;
        };
        let kind = snapshot.type_of(object);
        if kind.address != one.type_address {
            complaints.add(format_args!(
                "{} is of another type",
                name(snapshot, address)
            ));
        }
        let size_bytes = snapshot.objects.size_bytes[object.0 as usize];
        // From 3.14 on exit callbacks are in a list, which has the agent's while it is there.
        let is_room = kind.key() == "list" && one.referents.is_empty() && !has_room;
        has_room |= is_room && size_bytes == one.size_bytes + 4 * 8;
        let is_as_known = size_bytes == one.size_bytes || is_room && has_room;
        if !kind.is_estimate() && !is_as_known {
            let name = name(snapshot, address);
            complaints.add(format_args!(
                "{name}: {size_bytes} bytes, not {}",
                one.size_bytes
            ));
        }
    }
    complaints.check("objects that are not as gc.get_referents() tells");
}

/// 3.12 puts what is never freed to the frozen objects, which `gc.get_objects()` does not tell.
fn check_tracked(snapshot: &Snapshot, known: &BTreeMap<u64, Known>, n_frozen: u64) {
    let mut complaints = Complaints::default();
    let mut n_untold = 0;
    for object in snapshot.ids() {
        let row = object.0 as usize;
        let is_tracked = snapshot.objects.birth_place[row] != Objects::UNTRACKED;
        let address = snapshot.objects.address[row];
        let expected = known.get(&address).is_some_and(|one| one.is_tracked);
        n_untold += u64::from(is_tracked && !expected);
        if is_tracked != expected && (expected || n_untold > n_frozen) {
            complaints.add(format_args!("{}: {is_tracked}", name(snapshot, address)));
        }
    }
    complaints.check("objects that gc.get_objects() tells otherwise");
}

fn check_edges(snapshot: &Snapshot, known: &BTreeMap<u64, Known>) {
    let mut complaints = Complaints::default();
    for (&address, one) in known {
        let Some(object) = snapshot.objects.at(address) else {
            continue;
        };
        let references = snapshot.references_of(object);
        let found: BTreeSet<u64> = references
            .map(|(_, target)| snapshot.objects.address[target.0 as usize])
            .collect();
        // How often one refers to another is not asked: an OrderedDict refers to its keys twice.
        for referent in one.referents.iter().filter(|at| !found.contains(at)) {
            let (from, to) = (name(snapshot, address), name(snapshot, *referent));
            let is_kept = |at: u64| {
                let object = snapshot.objects.at(at);
                object.is_some_and(|object| {
                    let count = snapshot.objects.reference_count[object.0 as usize];
                    count == Objects::NEVER_FREED
                })
            };
            // Those of 3.14 and later mark what is never freed, and are passed over there.
            let frames = [" frame", " generator", " coroutine", " async_generator"];
            if frames.iter().any(|kind| from.ends_with(kind)) && is_kept(*referent) {
                continue;
            }
            // A cache tells of its links, which are no objects of the collector, and of their type.
            if !(from.ends_with("functools._lru_cache_wrapper") && to.ends_with(" type")) {
                complaints.add(format_args!("{from} -> {to}"));
            }
        }
    }
    complaints.check("references that are missing");
}

/// Objects that only leakhunt sees, as lines for the target to judge. Frames are no objects.
fn extras(snapshot: &Snapshot, known: &BTreeMap<u64, Known>) -> String {
    let mut lines = String::new();
    for object in snapshot.ids() {
        let row = object.0 as usize;
        let (address, kind) = (snapshot.objects.address[row], snapshot.type_of(object));
        if known.contains_key(&address) || kind.is_frame() {
            continue;
        }
        let size = match snapshot.objects.size_bytes[row] {
            _ if kind.is_estimate() => -1,
            size_bytes => i64::try_from(size_bytes).unwrap(),
        };
        let _ = writeln!(lines, "{address} {} {size}", kind.address);
    }
    lines
}

#[test]
fn the_graph_is_what_get_referents_leads_to() {
    on_each(all().iter().filter(|py| py.sees_our_files()), |py| {
        let mut target = Start::new(py, "zoo").arg("0").ready();
        if py.free_threaded {
            // The first further thread changes such an interpreter for good; here that is the agent's.
            let growth = Leakhunt::at(target.pid, "growth", &["--count", "1", "-q"]);
            growth.run().expect(0);
        }
        let n_frozen = target.eval("gc.get_freeze_count()").as_u64().unwrap();
        let has_ctypes = target.eval("ctypes is not None") == json!(true);
        let before = Fingerprint::of(&mut target);
        let (closure, extra) = (scratch_file("closure"), scratch_file("extra"));
        let after = if has_ctypes { "untrue" } else { "str" };
        let request =
            format!("wait_after(lambda: closure({closure:?}), lambda: {after}({extra:?}))");
        target.send(&json!({ "eval": request }));
        target.answer(LIMIT);
        let folder = Folder::of(&target, &[]);
        let snapshot = folder.read();
        let known = known(&fs::read(&closure).unwrap());
        assert!(known.len() > 20_000, "the zoo is no small one");
        fs::write(&extra, extras(&snapshot, &known)).unwrap();
        target.send_byte(b'x');
        let untrue = target.answer(LIMIT);
        match has_ctypes {
            true => assert_eq!(untrue, json!({ "ok": [] }), "objects that are none"),
            false => skipped(&format!("extra objects of {py}"), "it has no ctypes"),
        }
        check_objects(&snapshot, &known);
        check_edges(&snapshot, &known);
        if !py.free_threaded {
            check_tracked(&snapshot, &known, n_frozen);
        }
        let (violations, dangling) = (snapshot.capture.n_violations, snapshot.capture.n_dangling);
        assert_eq!(
            (violations, dangling),
            (0, 0),
            "violations, dangling references"
        );
        assert_unharmed(&before, &mut target);
        target.finish_unharmed();
    });
}

fn places(py: &Interpreter) -> Target {
    let mut target = Target::start(py, "named_places");
    target.eval("grow(0, 3)");
    target
}

#[test]
fn references_have_the_names_that_a_person_would_use() {
    on_each(all().iter().filter(|py| py.sees_our_files()), |py| {
        let mut target = places(py);
        let snapshot = Folder::of(&target, &[]).read();
        let mut has = |expression: &str, name: &str| {
            let address = target.eval(&format!("id({expression})")).as_u64().unwrap();
            let object = snapshot.objects.at(address);
            let object = object.unwrap_or_else(|| panic!("{expression} is not in the snapshot"));
            let names = names_of(&snapshot, object);
            assert!(
                names.contains(name),
                "{expression} has no {name}: {names:?}"
            );
        };
        has("sys.modules", "__main__");
        has("sys.modules['__main__']", "SERVICE");
        has("SERVICE", "inner");
        has("SLOTTED", "held");
        has("Registry", "entries");
        has("NESTED['rooms']", "lobby");
        // Up to 3.10 those that are suspended have frames of their own.
        let (generator, coroutine) = match py.version < (3, 11, 0) {
            true => ("GENERATOR.gi_frame", "COROUTINE.cr_frame"),
            false => ("GENERATOR", "COROUTINE"),
        };
        has(generator, "held");
        has(coroutine, "held");
        has("keep_in_default", "__defaults__");
        has("keep_in_closure", "__closure__");
        has("keep_in_closure.__closure__[0]", "cell_contents");
        has("LISTENERS[0]", "__self__");
        has("LISTENERS[0].__self__", "held");
        target.finish_unharmed();
    });
}

#[test]
fn what_keeps_objects_alive_is_known() {
    on_each(all().iter().filter(|py| py.sees_our_files()), |py| {
        let mut target = places(py);
        let snapshot = Folder::of(&target, &[]).read();
        let roots = |kind: RootKind| snapshot.roots.iter().filter(move |root| root.kind == kind);
        let modules = roots(RootKind::Modules)
            .next()
            .expect("sys.modules is a root");
        let address = snapshot.objects.address[modules.object.0 as usize];
        assert_eq!(target.eval("id(sys.modules)"), json!(address));
        let work = roots(RootKind::Frame).find(|root| root.text.ends_with("work"));
        let work = work.expect("a frame of another thread");
        assert_ne!(work.thread, u64::from(target.pid), "the thread of work()");
        assert!(
            names_of(&snapshot, work.object).contains("rows"),
            "its local variable"
        );
        let main: BTreeSet<_> = roots(RootKind::Frame)
            .filter(|root| root.thread == u64::from(target.pid))
            .map(|root| root.text.as_str())
            .collect();
        assert!(
            main.contains("serve"),
            "frames of the main thread: {main:?}"
        );
        let leaked = objects_of(&snapshot, "__main__.In_frame").count();
        assert_eq!(leaked, 3, "what only a frame holds is there");
        target.finish_unharmed();
    });
}

/// Whether a text is anywhere in what a snapshot holds: names, and the bytes of its files.
fn holds(folder: &Folder, snapshot: &Snapshot, text: &str) -> bool {
    let strings = (0..snapshot.strings.len()).map(|id| StrId(u32::try_from(id).unwrap()));
    let strings = strings.map(|id| snapshot.strings.get(id).to_owned());
    let types = snapshot.types.iter().map(leakhunt_heap::Type::key);
    let roots = snapshot.roots.iter().map(|root| root.text.clone());
    let mut texts = strings.chain(types).chain(roots);
    if texts.any(|one| one.contains(text)) {
        return true;
    }
    let files = fs::read_dir(folder.path()).unwrap().flatten();
    let mut contents = files.map(|file| fs::read(file.path()).unwrap());
    contents.any(|bytes| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    })
}

#[test]
fn no_value_and_no_key_of_a_big_dict_leaves_the_target() {
    on_each(few().into_iter().filter(|py| py.sees_our_files()), |py| {
        let target = Target::start(py, "secrets");
        let hidden = [
            "visible_key",
            "visible_entry_63",
            "visible_number",
            "visible_long_",
        ];
        for (option, sees_small, sees_big) in [
            (None, true, false),
            (Some("--no-names"), false, false),
            (Some("--values"), true, true),
        ] {
            let folder = Folder::of(&target, option.as_slice());
            let snapshot = folder.read();
            for text in hidden {
                assert_eq!(
                    holds(&folder, &snapshot, text),
                    sees_small,
                    "{option:?}: {text}"
                );
            }
            let sees = |text| holds(&folder, &snapshot, text);
            assert!(
                sees("visible_attribute"),
                "{option:?}: attributes have names"
            );
            assert_eq!(
                sees("secret token"),
                sees_big,
                "{option:?}: a key of a big dict"
            );
            assert_eq!(
                sees("secret entry"),
                sees_big,
                "{option:?}: one key over the limit"
            );
            for text in [
                "secret value",
                "secret item",
                "secret in",
                "secret member",
                "secret local",
            ] {
                assert!(!sees(text), "{option:?}: {text} is a value");
            }
            if option != Some("--values") {
                assert!(!sees("secret"), "{option:?}: something with secret in it");
            }
        }
        target.finish_unharmed();
    });
}

#[test]
fn every_frame_of_a_deep_stack_is_captured() {
    const DEPTH: usize = 150_000;
    // Earlier versions take room of the C stack for each frame.
    on_each(
        few().into_iter().filter(|py| py.version >= (3, 11, 0)),
        |py| {
            let mut target = Target::start(py, "idle");
            target.exec(&format!(
            "sys.setrecursionlimit({DEPTH} + 1000); is_deep = threading.Event()\n\
             def sink(n):\n  return sink(n - 1) if n else (is_deep.set(), threading.Event().wait())\n\
             threading.Thread(target=sink, args=({DEPTH},), daemon=True).start(); is_deep.wait()"
        ));
            let snapshot = Folder::of(&target, &[]).read();
            let frames = snapshot.ids();
            let n_frames = frames
                .filter(|&object| snapshot.type_of(object).is_frame())
                .count();
            assert!(n_frames >= DEPTH, "{n_frames} frames of {target:?}");
        },
    );
}
