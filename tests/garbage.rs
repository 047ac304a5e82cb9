use std::fs;

use leakhunt_heap::hunt::{Beside, BesideFindings, Finding, FindingKind};
use leakhunt_heap::{KernelView, Snapshot};
use serde_json::{Value, json};

use crate::support::snapshots::Folder;
use crate::support::{Interpreter, Target, all, few, on_each};

/// Cycles through a closure, one for each of `n`.
const NODES: &str = "
class Node:
    def start(self):
        def handler():
            return self
        self.on_close = handler
def make(n):
    for _ in range(n):
        Node().start()
gc.collect()
";

/// What `snapshot --json` says of a target.
fn told(target: &Target) -> Value {
    Folder::of(target, &[])
        .take(target, &["--json"])
        .expect(0)
        .json()
}

/// What four looks come to, with a statement run before each.
fn four_looks(target: &mut Target, statement: &str) -> BesideFindings {
    let mut beside = Beside::default();
    let mut last = Snapshot::default();
    for look in 0..4 {
        target.exec(statement);
        last = Folder::of(target, &[]).read();
        beside.observe(&last, &kernel(target.pid), f64::from(look));
    }
    beside.findings(&last.capture, &[])
}

fn kernel(pid: u32) -> KernelView {
    let names = |folder: &str| {
        let entries = fs::read_dir(format!("/proc/{pid}/{folder}")).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let threads = names("task").map(|path| {
        let id = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        (
            id,
            fs::read_to_string(path.join("comm"))
                .unwrap()
                .trim_end()
                .to_owned(),
        )
    });
    let links = names("fd").map(|path| fs::read_link(path).unwrap().display().to_string());
    KernelView {
        threads: threads.collect(),
        descriptors: links.collect(),
    }
}

fn of_kind(told: &BesideFindings, kind: FindingKind) -> Vec<&Finding> {
    let findings = told.findings.iter();
    findings.filter(|finding| finding.kind == kind).collect()
}

fn idle(interpreter: &Interpreter, statements: &str) -> Target {
    let mut target = Target::start(interpreter, "idle");
    target.exec(statements);
    target
}

#[test]
fn an_idle_process_has_no_garbage_and_its_collector_is_told_as_gc_tells_it() {
    on_each(all(), |py| {
        let mut target = idle(
            py,
            "gc.set_threshold(901, 11, 12); gc.set_debug(gc.DEBUG_UNCOLLECTABLE); gc.collect()",
        );
        let document = told(&target);
        assert_eq!(document["garbage"]["objects"], 0, "{document}");
        let collector = &document["collector"];
        assert_eq!(collector["enabled"], true);
        if !py.free_threaded {
            assert_eq!(collector["thresholds"], json!([901, 11, 12]));
            assert_eq!(collector["debug"], 4);
            assert_eq!(collector["uncollectable"], 0);
            let collections = target.eval("[one['collections'] for one in gc.get_stats()]");
            assert_eq!(collector["collections"], collections);
            // No younger generation than the old one has been collected since the last full collection.
            assert_eq!(collector["long_lived_pending"], 0);
            assert!(collector["long_lived"].as_u64() > Some(1000), "{collector}");
        }
        target.exec("gc.disable()");
        assert_eq!(told(&target)["collector"]["enabled"], false);
        target.exec("gc.enable(); gc.set_debug(0)");
        target.finish_unharmed();
    });
}

#[test]
fn cycles_that_a_closure_makes_are_counted_and_named_and_why_they_stay_is_said() {
    on_each(few(), |py| {
        let mut target = idle(py, NODES);
        target.exec("gc.disable(); make(50)");
        let document = told(&target);
        let garbage = &document["garbage"];
        let cycles = &garbage["cycles"][0];
        assert_eq!(cycles["n_cycles"], 50, "{garbage}");
        let made_by = match py.version.1 {
            ..=10 => "__main__.handler",
            _ => "__main__.Node.start.<locals>.handler",
        };
        assert_eq!(cycles["made_by"], made_by);
        assert_eq!(cycles["through"], json!(["closure self", "on_close"]));
        assert!(
            garbage["why"][0].as_str().unwrap().contains("gc.disable()"),
            "{garbage}"
        );
        let n_collected = target.eval("gc.collect()");
        // The collector counts tracked objects alone.
        assert!(
            garbage["objects"].as_u64() >= n_collected.as_u64(),
            "{n_collected}"
        );
        assert_eq!(told(&target)["garbage"]["n_cycles"], 0);
        target.finish_unharmed();
    });
}

#[test]
fn frozen_garbage_is_said_to_be_frozen() {
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        let mut target = idle(py, NODES);
        target.exec("gc.disable(); make(20); gc.freeze(); gc.enable()");
        let garbage = &told(&target)["garbage"];
        assert!(garbage["frozen"].as_u64() >= Some(20 * 4), "{garbage}");
        assert!(
            garbage["why"][0].as_str().unwrap().contains("gc.freeze()"),
            "{garbage}"
        );
    });
}

#[test]
fn garbage_grows_while_the_collector_is_off_and_not_while_it_runs() {
    on_each(few(), |py| {
        let mut target = idle(py, NODES);
        target.exec("gc.disable()");
        let told = four_looks(&mut target, "make(20)");
        let garbage = of_kind(&told, FindingKind::Garbage);
        assert!(matches!(garbage.as_slice(), [_]), "{told:#?}");
        assert_eq!(garbage[0].holds[0].type_key, "__main__.Node");
        assert_eq!(
            (garbage[0].holds[0].n_first, garbage[0].holds[0].n_last),
            (20, 80)
        );
        let mut normal = idle(py, NODES);
        let told = four_looks(&mut normal, "make(20)");
        assert_eq!(told.findings, []);
    });
}

#[test]
fn objects_that_native_code_alone_holds_grow_and_those_of_a_list_do_not() {
    const DECODERS: &str = "
import ctypes
class Decoder:
    pass
kept = []
def leak(n):
    for _ in range(n):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(Decoder()))
leak(1)
gc.collect()
";
    on_each(few().into_iter().filter(|py| !py.free_threaded), |py| {
        let mut target = idle(py, DECODERS);
        let told = four_looks(&mut target, "leak(10)");
        let native = of_kind(&told, FindingKind::NativeReferences);
        assert!(matches!(native.as_slice(), [_]), "{told:#?}");
        assert_eq!(native[0].holds[0].type_key, "__main__.Decoder");
        assert_eq!(native[0].rate.per_second, 10.0);
        let mut twin = idle(py, DECODERS);
        let told = four_looks(&mut twin, "kept.extend(Decoder() for _ in range(10))");
        assert_eq!(told.findings, []);
    });
}

#[test]
fn threads_and_descriptors_that_become_more_are_told_by_what_they_are() {
    const WORKERS: &str = "
import socket, tempfile
folder = tempfile.mkdtemp()
stop, opened = threading.Event(), []
def worker():
    stop.wait()
def start(n):
    for _ in range(n):
        threading.Thread(target=worker, daemon=True).start()
        opened.append(os.open(f'{folder}/part-{len(opened)}.log', os.O_CREAT | os.O_RDWR))
sockets = []
";
    on_each(few(), |py| {
        let mut target = idle(py, WORKERS);
        let told = four_looks(&mut target, "start(5); sockets.append(socket.socket())");
        let threads = of_kind(&told, FindingKind::Threads);
        assert!(matches!(threads.as_slice(), [_]), "{told:#?}");
        assert_eq!(threads[0].place, "threads of worker() in __main__");
        assert_eq!(threads[0].rate.per_second, 5.0);
        let descriptors = of_kind(&told, FindingKind::Descriptors);
        let [files, sockets] = descriptors.as_slice() else {
            panic!("{told:#?}")
        };
        assert!(files.place.ends_with("/part-#.log"), "{}", files.place);
        assert!(files.why.contains("os.open()"), "{}", files.why);
        assert_eq!((&*sockets.place, sockets.rate.per_second), ("sockets", 1.0));
        assert!(sockets.why.contains("socket.socket"), "{}", sockets.why);
        assert!(
            of_kind(&told, FindingKind::NativeReferences).is_empty(),
            "{told:#?}"
        );
        target.exec("import shutil; stop.set(); shutil.rmtree(folder)");
    });
}
