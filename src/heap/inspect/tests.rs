use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::Snapshot;
use crate::snapshot::{ObjectState, RootKind};

mod fingerprints;

/// A heap with a module `shop`, in which things are kept for good.
struct Shop {
    heap: SnapshotBuilder,
    modules: ObjId,
    shop: ObjId,
    kept: ObjId,
    n_kept: u32,
}

impl Shop {
    fn new() -> Self {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let shop = heap.module(modules, "shop");
        let kept = heap.object("list");
        heap.attribute(shop, "KEPT", kept);
        Self {
            heap,
            modules,
            shop,
            kept,
            n_kept: 0,
        }
    }

    /// An object in the list `shop.KEPT`.
    fn kept(&mut self, type_name: &str) -> ObjId {
        let object = self.heap.tracked(type_name);
        self.keep(object);
        object
    }

    fn keep(&mut self, object: ObjId) {
        self.heap
            .reference(self.kept, Via::Item(self.n_kept), object);
        self.n_kept += 1;
    }

    fn with_state(&mut self, type_name: &str, state: ObjectState) -> ObjId {
        let object = self.kept(type_name);
        self.heap.state(object, state);
        object
    }
}

fn reason(heap: &Snapshot, object: ObjId) -> (Verdict, String) {
    match inspect(heap).of(object) {
        Some(inspection) => (inspection.verdict, inspection.reason.to_string()),
        None => (Verdict::Unknown, String::new()),
    }
}

#[track_caller]
fn assert_leaks(heap: &Snapshot, object: ObjId, why: &str) {
    assert_eq!(reason(heap, object), (Verdict::Leaking, why.to_owned()));
}

#[track_caller]
fn assert_unknown(heap: &Snapshot, object: ObjId) {
    assert_eq!(reason(heap, object), (Verdict::Unknown, String::new()));
}

#[test]
fn tasks_and_futures_that_are_done_leak_and_pending_ones_do_not() {
    let mut shop = Shop::new();
    let done = shop.with_state("_asyncio.Task", ObjectState::Finished);
    let cancelled = shop.with_state("_asyncio.Future", ObjectState::Cancelled);
    let pending = shop.with_state("_asyncio.Task", ObjectState::Pending);
    let untold = shop.kept("_asyncio.Task");
    let heap = shop.heap.finish();
    assert_leaks(&heap, done, "finished task");
    assert_leaks(&heap, cancelled, "cancelled future");
    assert_unknown(&heap, pending);
    assert_unknown(&heap, untold);
}

#[test]
fn a_generator_that_ended_leaks_unless_somebody_has_it_in_hand() {
    let mut shop = Shop::new();
    let ended = shop.with_state("generator", ObjectState::Finished);
    let waits = shop.with_state("generator", ObjectState::Suspended);
    let fresh = shop.with_state("generator", ObjectState::Created);
    let in_hand = shop.with_state("generator", ObjectState::Finished);
    let runs = shop.with_state("coroutine", ObjectState::Running);
    let frame = shop.heap.frame("main");
    shop.heap.reference(frame, Via::Local("rows"), in_hand);
    let heap = shop.heap.finish();
    assert_leaks(&heap, ended, "exhausted or closed generator");
    assert_unknown(&heap, waits);
    assert_unknown(&heap, fresh);
    assert_unknown(&heap, in_hand);
    assert_eq!(reason(&heap, runs).0, Verdict::NotLeaking);
}

impl Shop {
    /// Adds a module, imported.
    fn module(&mut self, name: &str) -> ObjId {
        self.heap.module(self.modules, name)
    }

    /// `None`, `True` and `False`.
    fn constants(&mut self) -> [ObjId; 3] {
        let builtins = self.module("builtins");
        [("NoneType", "None"), ("bool", "True"), ("bool", "False")].map(|(of_type, name)| {
            let constant = self.heap.object(of_type);
            self.heap.attribute(builtins, name, constant);
            constant
        })
    }
}

#[test]
fn a_thread_that_was_started_and_is_not_registered_leaks() {
    let mut shop = Shop::new();
    let [_, yes, no] = shop.constants();
    let threading = shop.module("threading");
    let registry = |heap: &mut SnapshotBuilder, name| {
        let registry = heap.object("dict");
        heap.attribute(threading, name, registry);
        registry
    };
    let active = registry(&mut shop.heap, "_active");
    registry(&mut shop.heap, "_limbo");
    let mut thread = |started| {
        let thread = shop.kept("threading.Thread");
        let event = shop.heap.tracked("threading.Event");
        shop.heap.attribute(thread, "_started", event);
        shop.heap.reference(event, Via::Attribute("_flag"), started);
        thread
    };
    let (finished, runs, fresh) = (thread(yes), thread(yes), thread(no));
    shop.heap.entry(active, "7", runs);
    let heap = shop.heap.finish();
    assert_leaks(&heap, finished, "finished thread");
    let running = (Verdict::NotLeaking, "running thread".to_owned());
    assert_eq!(reason(&heap, runs), running);
    assert_unknown(&heap, fresh);
}
