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
    let waits = shop.with_state("generator", ObjectState::Suspended(31));
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
    // Of a thread that `threading` did not start it never learns the end.
    let foreign = shop.kept("threading._DummyThread");
    shop.heap.entry(active, "7", runs);
    shop.heap.entry(active, "8", foreign);
    let heap = shop.heap.finish();
    assert_leaks(&heap, finished, "finished thread");
    let running = (Verdict::NotLeaking, "running thread".to_owned());
    assert_eq!(reason(&heap, runs), running);
    assert_unknown(&heap, fresh);
    assert_unknown(&heap, foreign);
}

#[test]
fn a_closed_file_leaks_with_what_is_around_it() {
    let mut shop = Shop::new();
    let mut file = |state, layers: &[&str]| {
        let file = shop.heap.tracked("_io.FileIO");
        shop.heap.state(file, state);
        let around = layers.iter().fold(vec![file], |mut around, layer| {
            let outer = shop.heap.tracked(layer);
            shop.heap
                .reference(outer, Via::Unnamed, around[around.len() - 1]);
            around.push(outer);
            around
        });
        shop.keep(around[around.len() - 1]);
        around
    };
    let layers = ["_io.BufferedReader", "_io.TextIOWrapper"];
    let closed = file(ObjectState::Closed, &layers);
    let open = file(ObjectState::Open, &layers);
    let in_hand = file(ObjectState::Closed, &layers);
    let raw = file(ObjectState::Closed, &[]);
    let frame = shop.heap.frame("main");
    shop.heap.reference(frame, Via::Local("file"), in_hand[2]);
    let heap = shop.heap.finish();
    for &object in closed.iter().chain(&raw) {
        assert_leaks(&heap, object, "closed file");
    }
    for &object in open.iter().chain(&in_hand) {
        assert_unknown(&heap, object);
    }
}

#[test]
fn a_closed_socket_leaks() {
    let mut shop = Shop::new();
    let closed = shop.with_state("_socket.socket", ObjectState::Closed);
    let open = shop.with_state("_socket.socket", ObjectState::Open);
    let heap = shop.heap.finish();
    assert_leaks(&heap, closed, "closed socket");
    assert_unknown(&heap, open);
}

#[test]
fn a_session_whose_connector_is_none_leaks() {
    let mut shop = Shop::new();
    let [none, yes, no] = shop.constants();
    let connector = shop.heap.tracked("aiohttp.connector.TCPConnector");
    let mut session = |of_type, attribute, value| {
        let session = shop.kept(of_type);
        shop.heap.attribute(session, attribute, value);
        session
    };
    let closed = session("aiohttp.client.ClientSession", "_connector", none);
    let open = session("aiohttp.client.ClientSession", "_connector", connector);
    let pool = "concurrent.futures.thread.ThreadPoolExecutor";
    let (shut, in_service) = (
        session(pool, "_shutdown", yes),
        session(pool, "_shutdown", no),
    );
    let other = session("shop.ClientSession", "_connector", none);
    let heap = shop.heap.finish();
    assert_leaks(&heap, closed, "closed client session");
    assert_unknown(&heap, open);
    assert_leaks(&heap, shut, "executor that was shut down");
    assert_unknown(&heap, in_service);
    assert_unknown(&heap, other);
}

#[test]
fn a_future_in_python_goes_by_the_constants_of_its_module() {
    let mut shop = Shop::new();
    let base = shop.module("concurrent.futures._base");
    let [finished, pending] = ["FINISHED", "PENDING"].map(|name| {
        let constant = shop.heap.object("str");
        shop.heap.attribute(base, name, constant);
        constant
    });
    let mut future = |state| {
        let future = shop.kept("concurrent.futures._base.Future");
        shop.heap.attribute(future, "_state", state);
        future
    };
    let (done, waits) = (future(finished), future(pending));
    let heap = shop.heap.finish();
    assert_leaks(&heap, done, "finished future");
    assert_unknown(&heap, waits);
}

#[test]
fn a_coroutine_that_nobody_awaits_leaks_and_one_of_a_task_does_not() {
    let mut shop = Shop::new();
    let mut coroutine = || shop.with_state("coroutine", ObjectState::Created);
    let (forgotten, scheduled, in_hand) = (coroutine(), coroutine(), coroutine());
    let task = shop.with_state("_asyncio.Task", ObjectState::Pending);
    shop.heap.reference(task, Via::Unnamed, scheduled);
    let several = shop.heap.tracked("list");
    shop.heap.reference(several, Via::Item(0), in_hand);
    let main = shop.with_state("coroutine", ObjectState::Suspended(31));
    shop.heap.reference(main, Via::Local("several"), several);
    let heap = shop.heap.finish();
    assert_leaks(&heap, forgotten, "coroutine that was never awaited");
    assert_unknown(&heap, scheduled);
    assert_unknown(&heap, in_hand);
}

#[test]
fn a_kept_exception_leaks_with_its_frames_and_a_handled_one_does_not() {
    let mut shop = Shop::new();
    let builtins = shop.module("builtins");
    let class = shop.heap.class("BaseException");
    shop.heap.attribute(builtins, "BaseException", class);
    let mut raised = || {
        let exception = shop.kept("BaseException");
        let [first, next] = ["outer", "inner"].map(|_| shop.heap.tracked("traceback"));
        let frame = shop.heap.tracked("frame");
        let heap = &mut shop.heap;
        heap.reference(exception, Via::Attribute("__traceback__"), first);
        heap.reference(first, Via::Attribute("tb_next"), next);
        heap.reference(next, Via::Attribute("tb_frame"), frame);
        (exception, frame)
    };
    let (kept, ended) = raised();
    let (handled, used) = raised();
    let (cause, used_before) = raised();
    let (within, used_within) = raised();
    let (collected, _) = raised();
    let bare = shop.kept("BaseException");
    shop.heap
        .reference(handled, Via::Attribute("__context__"), cause);
    shop.heap
        .named_root(RootKind::Thread, handled, 1, "handled exception");
    let main = shop.with_state("coroutine", ObjectState::Suspended(31));
    let errors = shop.heap.tracked("list");
    shop.heap
        .reference(main, Via::Internal("handled exception"), within);
    shop.heap.reference(main, Via::Local("errors"), errors);
    shop.heap.reference(errors, Via::Item(0), collected);
    let heap = shop.heap.finish();
    for object in [kept, collected] {
        assert_leaks(&heap, object, "exception that is kept with its traceback");
    }
    assert_leaks(&heap, ended, "frame that ended and that a traceback keeps");
    for object in [handled, used, cause, used_before, within, used_within, bare] {
        assert_unknown(&heap, object);
    }
}

#[test]
fn a_frame_that_runs_or_is_suspended_does_not_leak_by_a_traceback() {
    let mut shop = Shop::new();
    let mut pinned = || {
        let traceback = shop.kept("traceback");
        let frame = shop.heap.tracked("frame");
        shop.heap
            .reference(traceback, Via::Attribute("tb_frame"), frame);
        frame
    };
    let (runs, waits, on_stack) = (pinned(), pinned(), pinned());
    let frame = shop.heap.frame("main");
    shop.heap
        .reference(frame, Via::Internal("frame object"), runs);
    shop.heap.reference(frame, Via::Internal("stack"), on_stack);
    let coroutine = shop.with_state("coroutine", ObjectState::Suspended(31));
    shop.heap
        .reference(coroutine, Via::Internal("frame object"), waits);
    let heap = shop.heap.finish();
    let in_use = (Verdict::NotLeaking, "running frame".to_owned());
    assert_eq!(reason(&heap, runs), in_use);
    assert_eq!(reason(&heap, frame), in_use);
    assert_unknown(&heap, waits);
    let why = "frame that ended and that a traceback keeps";
    assert_leaks(&heap, on_stack, why);
}

#[test]
fn arguments_that_the_lru_cache_of_a_method_keeps_leak() {
    const CACHE: &str = "functools._lru_cache_wrapper";
    let mut shop = Shop::new();
    let class = shop.heap.class("shop.Shop");
    shop.heap.attribute(shop.shop, "Shop", class);
    let mut cache = || {
        let (cache, entries) = (shop.heap.tracked(CACHE), shop.heap.tracked("dict"));
        shop.heap.reference(cache, Via::Unnamed, entries);
        (cache, entries)
    };
    let ((method, of_method), (function, of_function)) = (cache(), cache());
    shop.heap.attribute(class, "price", method);
    shop.heap.attribute(shop.shop, "price", function);
    let [own, other, main] =
        ["shop.Shop", "shop.Other", "shop.Shop"].map(|of_type| shop.heap.tracked(of_type));
    let mut call = |entries, instance, place| {
        let arguments = shop.heap.tracked("tuple");
        let result = shop.heap.object("functools._lru_list_elem");
        shop.heap.reference(arguments, Via::Item(0), instance);
        shop.heap.reference(entries, Via::Key(place), arguments);
        shop.heap.reference(entries, Via::Value(place), result);
        (arguments, result)
    };
    let (leaks, element) = call(of_method, own, 0);
    let (of_another, _) = call(of_method, other, 1);
    let (of_main, _) = call(of_method, main, 2);
    let (innocent, _) = call(of_function, own, 0);
    shop.heap.attribute(shop.shop, "MAIN", main);
    let heap = shop.heap.finish();
    let why = "entry of the lru_cache of the method price: it keeps self";
    assert_leaks(&heap, leaks, why);
    assert_leaks(&heap, element, why);
    for object in [of_another, of_main, innocent] {
        assert_unknown(&heap, object);
    }
}

#[test]
fn a_class_that_its_module_replaced_leaks_with_the_classes_within() {
    let mut shop = Shop::new();
    let [name, local_name, module_name] =
        ["name", "local", "module"].map(|_| shop.heap.object("str"));
    let mut class = |type_name, name| {
        let class = shop.heap.class(type_name);
        shop.heap
            .reference(class, Via::Attribute("__qualname__"), name);
        shop.heap.attribute(class, "__module__", module_name);
        class
    };
    let (new, old) = (class("shop.Handler", name), class("shop.Old", name));
    let (within, unrelated) = (class("shop.In", local_name), class("shop.L", local_name));
    let shop_module = shop.shop;
    shop.heap.attribute(shop_module, "Handler", new);
    shop.heap.attribute(old, "Options", within);
    for class in [old, unrelated] {
        shop.keep(class);
    }
    let heap = shop.heap.finish();
    let why = "class that its module replaced by another of the same name";
    assert_leaks(&heap, old, why);
    assert_leaks(&heap, within, why);
    assert_unknown(&heap, unrelated);
    let held = (Verdict::NotLeaking, "class that a module holds".to_owned());
    assert_eq!(reason(&heap, new), held);
}

#[test]
fn a_loop_that_a_running_frame_has_runs() {
    let mut shop = Shop::new();
    let (runs, waits) = (
        shop.kept("asyncio.base_events.BaseEventLoop"),
        shop.kept("asyncio.base_events.BaseEventLoop"),
    );
    let frame = shop.heap.frame("run_forever");
    shop.heap.reference(frame, Via::Local("self"), runs);
    let heap = shop.heap.finish();
    let running = (Verdict::NotLeaking, "running event loop".to_owned());
    assert_eq!(reason(&heap, runs), running);
    assert_unknown(&heap, waits);
}

#[test]
fn what_is_in_use_outweighs_what_should_be_gone() {
    let mut shop = Shop::new();
    let [_, yes, _] = shop.constants();
    // Anything can stand for a module.
    let pool = shop.kept("concurrent.futures.thread.ThreadPoolExecutor");
    shop.heap.attribute(pool, "_shutdown", yes);
    shop.heap.entry(shop.modules, "shop.pool", pool);
    let heap = shop.heap.finish();
    let in_use = (Verdict::NotLeaking, "imported module".to_owned());
    assert_eq!(reason(&heap, pool), in_use);
}
