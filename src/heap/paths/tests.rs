use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;
use crate::shop::Shop;
use crate::snapshot::LabelName;

impl Shop {
    fn in_dict(&mut self, dict: ObjId, key: &str, type_name: &str) -> ObjId {
        let object = self.heap.object(type_name);
        self.heap.entry(dict, key, object);
        object
    }
}

#[track_caller]
fn assert_path(heap: &SnapshotBuilder, object: ObjId, expression: &str, is_evaluable: bool) {
    let heap = heap.clone().finish();
    let path = Paths::find(&heap).to(&heap, object).expect("it is reached");
    assert_eq!(
        (&*path.expression, path.is_evaluable),
        (expression, is_evaluable)
    );
    assert_eq!(path.steps.last().unwrap().object, object);
    assert_eq!(path.steps.last().unwrap().expression, expression);
}

const CACHE: &str = "sys.modules['shop.cache']";

#[track_caller]
fn assert_typed(heap: &SnapshotBuilder, object: ObjId, after_module: &str) {
    assert_path(heap, object, &format!("{CACHE}{after_module}"), true);
}

#[track_caller]
fn assert_holder(heap: &SnapshotBuilder, object: ObjId, name: &str, package: &str) {
    let heap = heap.clone().finish();
    let paths = Paths::find(&heap);
    let path = paths.to(&heap, object).expect("it is reached");
    let holder = paths.holder(&heap, &path);
    let holder = holder.unwrap_or_else(|| panic!("{} has a holder", path.expression));
    assert_eq!((&*holder.name, &*holder.package), (name, package));
}

#[test]
fn attributes_items_and_keys_are_printed_as_one_types_them() {
    let mut shop = Shop::new("shop.cache");
    let cache = shop.global("RENDER_CACHE", "dict");
    assert_typed(&shop.heap, cache, ".RENDER_CACHE");
    let page = shop.in_dict(cache, "it's\n", "shop.cache.Page");
    assert_typed(&shop.heap, page, ".RENDER_CACHE[\"it's\\n\"]");
    let rows = shop.heap.object("list");
    shop.heap.attribute(page, "rows", rows);
    let row = shop.held(rows, Via::Item(3), "tuple");
    let last = shop.held(row, Via::Item(1), "shop.cache.Row");
    assert_typed(&shop.heap, last, ".RENDER_CACHE[\"it's\\n\"].rows[3][1]");
    let slot = shop.held(last, Via::Attribute("price"), "float");
    assert_typed(
        &shop.heap,
        slot,
        ".RENDER_CACHE[\"it's\\n\"].rows[3][1].price",
    );
    let members = shop.global("MEMBERS", "set");
    let member = shop.held(members, Via::Member(4), "shop.cache.Row");
    assert_typed_around(&shop.heap, member, "list(", ".MEMBERS)[4]");
}

#[track_caller]
fn assert_typed_around(heap: &SnapshotBuilder, object: ObjId, before: &str, after: &str) {
    assert_path(heap, object, &format!("{before}{CACHE}{after}"), true);
}

#[test]
fn what_has_no_known_key_goes_by_its_place() {
    let mut shop = Shop::new("shop.cache");
    let big = shop.global("BIG", "dict");
    let key = shop.held(big, Via::Key(17), "tuple");
    let value = shop.held(big, Via::Value(17), "shop.cache.Row");
    let in_key = shop.held(key, Via::Item(1), "shop.cache.User");
    assert_typed_around(&shop.heap, value, "list(", ".BIG.values())[17]");
    assert_typed_around(&shop.heap, in_key, "list(", ".BIG)[17][1]");
    let flags = TypeFlags::DICT | TypeFlags::COLLECTED;
    shop.heap.flags("collections.OrderedDict", flags);
    let ordered = shop.global("ORDERED", "collections.OrderedDict");
    shop.held(ordered, Via::Key(2), "int");
    let entry = shop.held(ordered, Via::Value(2), "shop.cache.Row");
    assert_typed_around(&shop.heap, entry, "list(dict.values(", ".ORDERED))[2]");
}

#[test]
fn names_that_are_no_identifiers_are_looked_up() {
    let mut shop = Shop::new("shop.cache");
    let object = shop.global("na me", "list");
    assert_typed_around(&shop.heap, object, "vars(", ")['na me']");
    let object = shop.global("class", "list");
    assert_typed_around(&shop.heap, object, "vars(", ")['class']");
    let object = shop.global("größe", "list");
    assert_typed_around(&shop.heap, object, "vars(", ")['größe']");
    let one = shop.global("ONE", "shop.cache.One");
    let slot = shop.held(one, Via::Attribute("lambda"), "list");
    assert_typed_around(&shop.heap, slot, "getattr(", ".ONE, 'lambda')");
}

#[test]
fn what_is_in_functions_and_generators_is_printed_by_their_attributes() {
    let mut shop = Shop::new("shop.cache");
    let function = shop.global("keep", "function");
    let closure = shop.held(function, Via::Attribute("__closure__"), "tuple");
    let cell = shop.held(closure, Via::Item(0), "cell");
    let kept = shop.held(cell, Via::Attribute("cell_contents"), "list");
    assert_typed(&shop.heap, kept, ".keep.__closure__[0].cell_contents");
    let method = shop.global("METHOD", "method");
    let owner = shop.held(method, Via::Attribute("__self__"), "shop.cache.Bus");
    assert_typed(&shop.heap, owner, ".METHOD.__self__");
    let generators = [
        ("generator", "gi"),
        ("coroutine", "cr"),
        ("async_generator", "ag"),
    ];
    for (of_type, short) in generators {
        let generator = shop.global(short, of_type);
        let local = shop.held(generator, Via::Local("held"), "list");
        let typed = format!(".{short}.{short}_frame.f_locals['held']");
        assert_typed(&shop.heap, local, &typed);
        let cell = shop.held(generator, Via::Local("shared"), "cell");
        let shared = shop.held(cell, Via::Attribute("cell_contents"), "list");
        let typed = format!(".{short}.{short}_frame.f_locals['shared']");
        assert_typed(&shop.heap, shared, &typed);
        assert_path(&shop.heap, cell, &format!("{CACHE}{typed}"), false);
    }
}

#[test]
fn what_code_cannot_name_is_said_to_be_so() {
    let mut shop = Shop::new("shop.cache");
    let frame = shop.heap.frame("handle");
    let rows = shop.held(frame, Via::Local("rows"), "list");
    let row = shop.held(rows, Via::Item(3), "shop.cache.Row");
    assert_path(&shop.heap, row, "frame handle(): local rows[3]", false);
    let cached = shop.global("total", "functools._lru_cache_wrapper");
    let cache = shop.held(cached, Via::Internal("cache"), "dict");
    let key = shop.held(cache, Via::Key(0), "tuple");
    let expression = format!("list({CACHE}.total->cache)[0]");
    assert_path(&shop.heap, key, &expression, false);
    let hidden = shop.held(cached, Via::Unnamed, "list");
    assert_path(&shop.heap, hidden, &format!("{CACHE}.total->(list)"), false);
    let native = shop.heap.object("list");
    shop.heap.count(native, 1);
    assert_path(&shop.heap, native, "<list held by native code>", false);
    let context = shop.heap.object("Context");
    shop.heap
        .named_root(RootKind::Thread, context, 7, "context");
    assert_path(&shop.heap, context, "<context of thread 7>", false);
}

#[test]
fn the_dict_of_an_instance_can_be_typed_and_that_of_a_class_cannot() {
    let mut shop = Shop::new("shop.cache");
    let service = shop.global("SERVICE", "shop.cache.Service");
    let dict = shop.held(service, Via::Attribute("__dict__"), "dict");
    assert_typed(&shop.heap, dict, ".SERVICE.__dict__");
    let class = shop.heap.class("shop.cache.Service");
    shop.heap.attribute(shop.module, "Service", class);
    let dict = shop.held(class, Via::Attribute("__dict__"), "dict");
    assert_path(
        &shop.heap,
        dict,
        &format!("{CACHE}.Service.__dict__"),
        false,
    );
}

#[test]
fn attributes_that_a_property_or_another_descriptor_hides_are_looked_up() {
    let mut shop = Shop::new("shop.cache");
    let class = shop.heap.class("shop.cache.Service");
    shop.heap.attribute(shop.module, "Service", class);
    let base = shop.heap.class("shop.cache.Base");
    let mro = shop.held(class, Via::Attribute("__mro__"), "tuple");
    shop.heap.reference(mro, Via::Item(0), class);
    shop.heap.reference(mro, Via::Item(1), base);
    let property = shop.heap.object("property");
    shop.heap.attribute(base, "rows", property);
    let method = shop.heap.object("function");
    shop.heap.attribute(base, "method", method);
    let class_method = shop.heap.object("classmethod");
    shop.heap.attribute(class, "made", class_method);
    let entries = shop.heap.object("list");
    shop.heap.attribute(class, "entries", entries);
    let service = shop.global("SERVICE", "shop.cache.Service");
    let [rows, own, free] = ["rows", "method", "free"].map(|name| {
        let value = shop.heap.object("list");
        shop.heap.attribute(service, name, value);
        value
    });
    assert_typed_around(&shop.heap, rows, "vars(", ".SERVICE)['rows']");
    assert_typed(&shop.heap, own, ".SERVICE.method");
    assert_typed(&shop.heap, free, ".SERVICE.free");
    assert_typed(&shop.heap, entries, ".Service.entries");
    assert_typed_around(&shop.heap, class_method, "vars(", ".Service)['made']");
    let lookup = shop.heap.object("function");
    shop.heap.attribute(base, "__getattribute__", lookup);
    let typed = format!("object.__getattribute__({CACHE}.SERVICE, 'free')");
    assert_path(&shop.heap, free, &typed, true);
}

#[test]
fn fields_of_c_types_are_attributes_whatever_shows_them() {
    let mut shop = Shop::new("shop.cache");
    let class = shop.heap.class("function");
    for name in ["__code__", "shown"] {
        let shows = shop.heap.object("getset_descriptor");
        shop.heap.attribute(class, name, shows);
    }
    let function = shop.global("render", "function");
    let code = shop.held(function, Via::Attribute("__code__"), "code");
    assert_typed(&shop.heap, code, ".render.__code__");
    let hidden = shop.heap.object("list");
    shop.heap.attribute(function, "shown", hidden);
    assert_typed_around(&shop.heap, hidden, "vars(", ".render)['shown']");
}

#[test]
fn what_is_made_anew_when_it_is_asked_for_cannot_be_typed() {
    let mut shop = Shop::new("shop.cache");
    let function = shop.global("render", "function");
    let pairs = shop.held(function, Via::Attribute("__annotations__"), "tuple");
    let expression = format!("{CACHE}.render->__annotations__");
    assert_path(&shop.heap, pairs, &expression, false);
}

#[test]
fn subclasses_of_containers_are_asked_as_the_builtin_where_they_answer_otherwise() {
    let mut shop = Shop::new("shop.cache");
    let class = shop.heap.class("shop.cache.Bag");
    shop.heap.flags(
        "shop.cache.Bag",
        TypeFlags::DICT | TypeFlags::PYTHON | TypeFlags::HEAP_TYPE,
    );
    shop.heap.attribute(shop.module, "Bag", class);
    let bag = shop.global("BAG", "shop.cache.Bag");
    let row = shop.in_dict(bag, "x", "shop.cache.Row");
    assert_typed(&shop.heap, row, ".BAG['x']");
    let getter = shop.heap.object("function");
    shop.heap.attribute(class, "__getitem__", getter);
    assert_path(
        &shop.heap,
        row,
        &format!("dict.__getitem__({CACHE}.BAG, 'x')"),
        true,
    );
}

#[test]
fn what_a_context_or_a_thread_has_goes_by_the_name_that_code_uses() {
    let mut shop = Shop::new("shop.cache");
    let variable = shop.global("breadcrumbs", "ContextVar");
    let context = shop.heap.object("Context");
    shop.heap
        .named_root(RootKind::Thread, context, 7, "context");
    let node = shop.held(context, Via::Unnamed, "hamt_bitmap_node");
    let crumbs = shop.held(node, Via::Unnamed, "list");
    shop.heap.reference(node, Via::Unnamed, variable);
    let crumb = shop.held(crumbs, Via::Item(2), "shop.cache.Crumb");
    let expression = format!("{CACHE}.breadcrumbs.get()[2]");
    assert_path(&shop.heap, crumb, &expression, false);
    assert_holder(&shop.heap, crumb, "shop.cache.breadcrumbs.get()", "shop");
    let local = shop.global("LOCAL", "_thread._local");
    let threads = shop.held(local, Via::Unnamed, "dict");
    shop.held(threads, Via::Key(0), "weakref");
    let own = shop.held(threads, Via::Value(0), "dict");
    let drawers = shop.in_dict(own, "drawers", "list");
    assert_path(
        &shop.heap,
        drawers,
        &format!("{CACHE}.LOCAL.drawers"),
        false,
    );
}

#[test]
fn a_path_from_modules_is_taken_before_a_shorter_one_and_byways_come_last() {
    let mut shop = Shop::new("shop.cache");
    let one = shop.global("ONE", "shop.cache.One");
    let far = shop.heap.object("list");
    shop.heap.attribute(one, "far", far);
    let frame = shop.heap.frame("handle");
    shop.heap.reference(frame, Via::Local("far"), far);
    assert_typed(&shop.heap, far, ".ONE.far");
    // Only its instance refers to the class, and a frame.
    let class = shop.held(one, Via::Type, "type");
    shop.heap.reference(frame, Via::Local("cls"), class);
    assert_path(&shop.heap, class, "frame handle(): local cls", false);
    let lonely = shop.held(far, Via::Item(0), "shop.cache.Two");
    let class = shop.held(lonely, Via::Type, "type");
    assert_typed_around(&shop.heap, class, "type(", ".ONE.far[0])");
}

#[test]
fn of_frames_the_oldest_that_leads_to_an_object_is_named() {
    let mut shop = Shop::new("shop.cache");
    // As an interpreter has them: the newest thread first, in each the innermost frame.
    let [request, serve, main] =
        ["request", "serve", "main"].map(|function| shop.heap.frame(function));
    let (app, trail) = (shop.heap.object("shop.cache.App"), shop.heap.object("list"));
    shop.heap.reference(main, Via::Local("app"), app);
    shop.heap.attribute(app, "trail", trail);
    let asked = shop.heap.object("shop.cache.Request");
    for frame in [request, serve] {
        shop.heap.reference(frame, Via::Local("trail"), trail);
        shop.heap.reference(frame, Via::Local("asked"), asked);
    }
    assert_path(&shop.heap, trail, "frame main(): local app.trail", false);
    assert_path(&shop.heap, asked, "frame serve(): local asked", false);
}

#[test]
fn what_a_thread_was_started_with_goes_by_whatever_else_leads_there() {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let threading = heap.module(modules, "threading");
    let (active, thread) = (heap.object("dict"), heap.object("threading.Thread"));
    heap.attribute(threading, "_active", active);
    heap.entry(active, "1", thread);
    let (call, arguments) = (heap.object("method"), heap.object("tuple"));
    heap.attribute(thread, "_target", call);
    heap.attribute(thread, "_args", arguments);
    let (server, asked) = (heap.object("shop.Server"), heap.object("shop.Request"));
    heap.reference(call, Via::Attribute("__self__"), server);
    heap.reference(arguments, Via::Item(0), asked);
    let (rows, options) = (heap.object("list"), heap.object("dict"));
    heap.attribute(thread, "rows", rows);
    let (shop, option) = (heap.module(modules, "shop"), heap.object("list"));
    heap.attribute(shop, "OPTIONS", options);
    heap.attribute(thread, "_kwargs", options);
    heap.entry(options, "depth", option);
    // One that is just starting.
    let (limbo, young) = (heap.object("dict"), heap.object("threading.Thread"));
    heap.attribute(threading, "_limbo", limbo);
    heap.entry(limbo, "2", young);
    let call = heap.object("method");
    heap.attribute(young, "_target", call);
    heap.reference(call, Via::Attribute("__self__"), server);
    let main = heap.frame("main");
    heap.reference(main, Via::Local("server"), server);
    heap.reference(main, Via::Local("young"), young);
    heap.reference(main, Via::Local("depth"), option);
    assert_path(&heap, young, "frame main(): local young", false);
    let thread = "sys.modules['threading']._active['1']";
    assert_path(&heap, server, "frame main(): local server", false);
    assert_path(&heap, asked, &format!("{thread}._args[0]"), true);
    assert_path(&heap, rows, &format!("{thread}.rows"), true);
    assert_path(&heap, option, "sys.modules['shop'].OPTIONS['depth']", true);
}

#[test]
fn garbage_has_no_path() {
    let mut heap = SnapshotBuilder::new();
    let (one, other) = (heap.object("list"), heap.object("list"));
    heap.reference(one, Via::Item(0), other);
    heap.reference(other, Via::Item(0), one);
    let heap = heap.finish();
    assert_eq!(Paths::find(&heap).to(&heap, one), None);
}

/// The class has no objects, and is found by the module that imports it.
#[test]
fn a_class_belongs_to_the_module_that_its_methods_are_of() {
    let mut shop = Shop::new("shop");
    let library = shop.heap.module(shop.modules, "library.loop");
    let globals = shop.heap.tracked("dict");
    shop.heap
        .reference(library, Via::Attribute("__dict__"), globals);
    shop.heap.flags("type", TypeFlags::TYPE);
    let class = shop.global("Loop", "type");
    for (name, globals) in [("__init__", None), ("close", Some(globals))] {
        let method = shop.heap.object("function");
        shop.heap.attribute(class, name, method);
        if let Some(globals) = globals {
            shop.heap
                .reference(method, Via::Attribute("__globals__"), globals);
        }
    }
    let loops = shop.heap.object("dict");
    shop.heap.attribute(class, "loops", loops);
    let one = shop.in_dict(loops, "one", "dict");
    assert_holder(&shop.heap, one, "shop.Loop.loops", "library");
}

#[test]
fn the_holder_is_the_last_place_that_a_program_names() {
    let mut shop = Shop::new("shop.cache");
    let cache = shop.global("RENDER_CACHE", "dict");
    shop.held(cache, Via::Key(7), "tuple");
    let template = shop.held(cache, Via::Value(7), "shop.cache.Template");
    assert_holder(&shop.heap, template, "shop.cache.RENDER_CACHE", "shop");
    let registry = shop.global("REGISTRY", "dict");
    let rooms = shop.in_dict(registry, "rooms", "dict");
    let lobby = shop.in_dict(rooms, "lobby", "dict");
    let seat = shop.in_dict(lobby, "ann", "shop.cache.Seat");
    let name = "shop.cache.REGISTRY['rooms']['lobby']";
    assert_holder(&shop.heap, seat, name, "shop");
    let bus = shop.global("BUS", "shop.cache.Bus");
    let listeners = shop.heap.object("list");
    shop.heap.attribute(bus, "listeners", listeners);
    let method = shop.held(listeners, Via::Item(5), "method");
    let session = shop.held(method, Via::Attribute("__self__"), "shop.cache.Session");
    assert_holder(&shop.heap, session, "shop.cache.BUS.listeners", "shop");
    let function = shop.global("price", "function");
    let closure = shop.held(function, Via::Attribute("__closure__"), "tuple");
    let cell = shop.held(closure, Via::Item(0), "cell");
    let calls = shop.held(cell, Via::Attribute("cell_contents"), "list");
    let call = shop.held(calls, Via::Item(2), "shop.cache.Call");
    let name = "shop.cache.price.__closure__[0].cell_contents";
    assert_holder(&shop.heap, call, name, "shop");
    let report = shop.heap.class("shop.cache.Report");
    shop.heap.attribute(shop.module, "Report", report);
    let total = shop.heap.object("functools._lru_cache_wrapper");
    shop.heap
        .flags("functools._lru_cache_wrapper", TypeFlags::COLLECTED);
    shop.heap.attribute(report, "total", total);
    let entries = shop.held(total, Via::Internal("cache"), "dict");
    let key = shop.held(entries, Via::Key(0), "tuple");
    let cached = shop.held(key, Via::Item(0), "shop.cache.Report");
    assert_holder(&shop.heap, cached, "shop.cache.Report.total cache", "shop");
    let frame = shop.heap.frame("handle");
    let rows = shop.held(frame, Via::Local("rows"), "list");
    let row = shop.held(rows, Via::Item(0), "shop.cache.Row");
    assert_holder(&shop.heap, row, "frame handle(): local rows", "");
}

#[test]
fn what_python_itself_holds_is_passed_over_where_a_program_holds_that() {
    let mut shop = Shop::new("shop.cache");
    let pool = shop.global("POOL", "concurrent.futures.thread.ThreadPoolExecutor");
    let queue = shop.heap.object("list");
    shop.heap.attribute(pool, "_queue", queue);
    let item = shop.held(queue, Via::Item(0), "shop.cache.Job");
    assert_holder(&shop.heap, item, "shop.cache.POOL._queue", "shop");
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let threading = heap.module(modules, "threading");
    let active = heap.object("dict");
    heap.attribute(threading, "_active", active);
    let thread = heap.object("list");
    heap.entry(active, "1", thread);
    assert_holder(&heap, thread, "threading._active", "threading");
    let heap = heap.finish();
    let paths = Paths::find(&heap);
    let path = paths.to(&heap, thread).unwrap();
    assert!(paths.holder(&heap, &path).unwrap().is_stdlib);
}

/// Distances by relaxing all references until nothing changes.
fn distances(heap: &Snapshot, roots: &[ObjId]) -> Vec<Option<usize>> {
    let mut distances = vec![None; heap.n_objects()];
    for root in roots {
        distances[root.0 as usize] = Some(1);
    }
    for _ in heap.ids() {
        for from in heap.ids() {
            let Some(distance) = distances[from.0 as usize] else {
                continue;
            };
            for (_, to) in heap.references_of(from) {
                let best = &mut distances[to.0 as usize];
                *best = Some(best.map_or(distance + 1, |best: usize| best.min(distance + 1)));
            }
        }
    }
    distances
}

#[test]
fn paths_are_the_shortest_and_each_step_is_a_reference() {
    let mut random = Random::new(3);
    for _ in 0..200 {
        let heap = random.heap(30, 60);
        let paths = Paths::find(&heap);
        let reached = crate::reach::Reached::from_roots(&heap);
        let modules: Vec<ObjId> = heap
            .roots
            .iter()
            .filter(|root| root.kind == RootKind::Modules)
            .map(|root| root.object)
            .collect();
        let distances = distances(&heap, &modules);
        for object in heap.ids() {
            let path = paths.to(&heap, object);
            assert_eq!(path.is_some(), reached.contains(object));
            let Some(path) = path else { continue };
            if let Some(distance) = distances[object.0 as usize] {
                assert_eq!((path.root, path.steps.len()), (PathRoot::Modules, distance));
            }
            for pair in path.steps.windows(2) {
                let step = (pair[1].label, pair[1].object);
                assert!(heap.references_of(pair[0].object).any(|edge| edge == step));
            }
            assert_eq!(path.steps[0].label.name(), LabelName::None);
        }
    }
}

#[test]
fn the_path_along_a_long_chain_is_cut() {
    let mut shop = Shop::new("shop.cache");
    let chain = |shop: &mut Shop, name: &str, n_links: usize| {
        let mut link = shop.global(name, "shop.cache.Link");
        for _ in 1..n_links {
            link = shop.held(link, Via::Attribute("next"), "shop.cache.Link");
        }
        link
    };
    let (short, long) = (
        chain(&mut shop, "SHORT", 90),
        chain(&mut shop, "LONG", 100_000),
    );
    assert_typed(&shop.heap, short, &format!(".SHORT{}", ".next".repeat(89)));
    let heap = shop.heap.finish();
    let paths = Paths::find(&heap);
    let path = paths.to(&heap, long).expect("it is reached");
    assert_eq!((path.steps.len(), path.is_evaluable), (MOST_STEPS, false));
    assert_eq!(path.steps.last().unwrap().object, long);
    assert!(
        path.expression
            .starts_with(&format!("{CACHE}.LONG.next.next"))
    );
    assert!(path.expression.ends_with(".next->…"), "{}", path.expression);
}

#[test]
fn an_entry_of_a_frozendict_is_not_asked_of_dict() {
    let mut shop = Shop::new("shop.cache");
    let codes = shop.global("CODES", "frozendict");
    let value = shop.held(codes, Via::Value(2), "list");
    assert_typed_around(&shop.heap, value, "list(", ".CODES.values())[2]");
}

#[test]
fn a_lazy_import_is_not_asked_for() {
    let mut shop = Shop::new("shop.cache");
    let lazy = shop.global("json", "lazy_import");
    assert_typed_around(&shop.heap, lazy, "vars(", ")['json']");
}

#[test]
fn calls_that_a_loop_is_to_make_are_passed_over_where_the_program_holds_the_same() {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let asyncio = heap.module(modules, "asyncio.events");
    let planned = heap.object("list");
    heap.attribute(asyncio, "planned", planned);
    let call = heap.object("asyncio.events.TimerHandle");
    heap.reference(planned, Via::Item(0), call);
    let (rows, argument) = (heap.object("list"), heap.object("shop.Row"));
    heap.reference(call, Via::Attribute("_args"), rows);
    heap.reference(call, Via::Attribute("_callback"), argument);
    let frame = heap.frame("main");
    heap.reference(frame, Via::Local("rows"), rows);
    assert_path(&heap, rows, "frame main(): local rows", false);
    // What nothing else holds still has a path.
    let planned = "sys.modules['asyncio.events'].planned";
    assert_path(&heap, argument, &format!("{planned}[0]._callback"), true);
}

#[test]
fn arguments_in_a_cache_of_results_are_passed_over_and_results_are_not() {
    let mut shop = Shop::new("shop.cache");
    let function = shop.global("middleware", "functools._lru_cache_wrapper");
    let arguments = shop.held(function, Via::Unnamed, "tuple");
    let app = shop.held(arguments, Via::Item(0), "shop.cache.App");
    let table = shop.held(function, Via::Unnamed, "dict");
    shop.heap.reference(table, Via::Key(0), arguments);
    let result = shop.held(table, Via::Value(0), "shop.cache.Service");
    let frame = shop.heap.frame("main");
    shop.heap.reference(frame, Via::Local("app"), app);
    shop.heap.reference(frame, Via::Local("service"), result);
    assert_path(&shop.heap, app, "frame main(): local app", false);
    let heap = shop.heap.finish();
    let path = Paths::find(&heap).to(&heap, result).unwrap();
    assert_eq!(path.root, PathRoot::Modules);
}

#[test]
fn what_a_cache_remembers_goes_by_whatever_else_of_a_module_leads_there() {
    let mut shop = Shop::new("shop.cache");
    let function = shop.global("settings", "functools._lru_cache_wrapper");
    let first = shop.held(function, Via::Unnamed, "shop.cache.Settings");
    let table = shop.held(function, Via::Internal("cache"), "dict");
    let second = shop.held(table, Via::Value(0), "shop.cache.Settings");
    let owner = shop.global("APP", "shop.cache.App");
    let parts = shop.held(owner, Via::Attribute("parts"), "list");
    for (index, settings) in [(0, first), (1, second)] {
        shop.heap.reference(parts, Via::Item(index), settings);
    }
    assert_typed(&shop.heap, first, ".APP.parts[0]");
    assert_typed(&shop.heap, second, ".APP.parts[1]");
}
