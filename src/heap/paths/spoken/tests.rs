use crate::builder::Via;
use crate::paths::Paths;
use crate::shop::Shop;
use crate::snapshot::{ObjId, ObjectState, RootKind};

impl Shop {
    fn text(&mut self, by: ObjId, via: Via<'_>, text: &str) {
        let object = self.held(by, via, "str");
        self.heap.key_text(object, text);
    }

    /// A function of the module whose code has these variables.
    fn function(&mut self, name: &str, variables: &[&str]) -> ObjId {
        let function = self.global(name, "function");
        let code = self.held(function, Via::Attribute("__code__"), "code");
        let names = self.held(code, Via::Internal("co_localsplusnames"), "tuple");
        for (index, name) in (0..).zip(variables) {
            self.text(names, Via::Item(index), name);
        }
        function
    }

    /// A suspended function that runs `name`, as of 3.11 on.
    fn suspended(&mut self, by: ObjId, via: Via<'_>, kind: &str, name: &str) -> ObjId {
        let suspended = self.held(by, via, kind);
        let code = self.held(suspended, Via::Attribute("f_code"), "code");
        self.text(code, Via::Attribute("co_qualname"), name);
        suspended
    }

    #[track_caller]
    fn assert_held_by(&self, object: ObjId, name: &str) {
        let heap = self.heap.clone().finish();
        let paths = Paths::find(&heap);
        let path = paths.to(&heap, object).expect("it is reached");
        let holder = paths.holder_at(&heap, &path, path.steps.len() - 2);
        assert_eq!(holder.expect("it has a holder").name, name);
    }
}

#[test]
fn a_variable_of_a_closure_goes_by_its_name() {
    let mut shop = Shop::new("shop");
    let function = shop.function("price", &["article", "found", "calls"]);
    let closure = shop.held(function, Via::Attribute("__closure__"), "tuple");
    shop.held(closure, Via::Item(0), "cell");
    let cell = shop.held(closure, Via::Item(1), "cell");
    let calls = shop.held(cell, Via::Attribute("cell_contents"), "list");
    let call = shop.held(calls, Via::Item(7), "shop.Call");
    shop.assert_held_by(call, "cell 'calls' of shop.price()");
    let by_name = shop.held(calls, Via::Item(8), "dict");
    let call = shop.held(by_name, Via::Value(0), "shop.Call");
    shop.assert_held_by(call, "cell 'calls' of shop.price()[8]");
}

#[test]
fn a_function_in_the_closure_of_another_goes_by_its_own_name() {
    let mut shop = Shop::new("shop");
    let outer = shop.function("handle", &["inner"]);
    let closure = shop.held(outer, Via::Attribute("__closure__"), "tuple");
    let cell = shop.held(closure, Via::Item(0), "cell");
    let inner = shop.held(cell, Via::Attribute("cell_contents"), "function");
    let code = shop.held(inner, Via::Attribute("__code__"), "code");
    shop.text(code, Via::Attribute("co_qualname"), "make.<locals>.count");
    let names = shop.held(code, Via::Internal("co_localsplusnames"), "tuple");
    shop.text(names, Via::Item(0), "calls");
    let closure = shop.held(inner, Via::Attribute("__closure__"), "tuple");
    let cell = shop.held(closure, Via::Item(0), "cell");
    let calls = shop.held(cell, Via::Attribute("cell_contents"), "list");
    let call = shop.held(calls, Via::Item(7), "shop.Call");
    shop.assert_held_by(call, "cell 'calls' of make.<locals>.count()");
}

#[test]
fn a_closure_whose_code_names_nothing_goes_by_its_path() {
    let mut shop = Shop::new("shop");
    let function = shop.global("price", "function");
    let closure = shop.held(function, Via::Attribute("__closure__"), "tuple");
    let cell = shop.held(closure, Via::Item(0), "cell");
    let calls = shop.held(cell, Via::Attribute("cell_contents"), "list");
    let call = shop.held(calls, Via::Item(7), "shop.Call");
    shop.assert_held_by(call, "shop.price.__closure__[0].cell_contents");
}

#[test]
fn default_arguments_are_told_from_the_function() {
    let mut shop = Shop::new("shop");
    let one = shop.global("one", "function");
    let defaults = shop.held(one, Via::Attribute("__defaults__"), "tuple");
    let rows = shop.held(defaults, Via::Item(0), "list");
    let row = shop.held(rows, Via::Item(0), "shop.Row");
    shop.assert_held_by(row, "default argument of shop.one()");
    let two = shop.global("two", "function");
    let defaults = shop.held(two, Via::Attribute("__defaults__"), "tuple");
    shop.held(defaults, Via::Item(0), "list");
    let rows = shop.held(defaults, Via::Item(1), "list");
    let row = shop.held(rows, Via::Item(0), "shop.Row");
    shop.assert_held_by(row, "default argument 1 of shop.two()");
    let named = shop.function("named", &["first", "seen", "rows", "local"]);
    shop.heap.state(named, ObjectState::Defaults(3));
    let defaults = shop.held(named, Via::Attribute("__defaults__"), "tuple");
    shop.held(defaults, Via::Item(0), "list");
    let rows = shop.held(defaults, Via::Item(1), "list");
    let row = shop.held(rows, Via::Item(0), "shop.Row");
    shop.assert_held_by(row, "default argument 'rows' of shop.named()");
    let by_name = shop.global("by_name", "function");
    let defaults = shop.held(by_name, Via::Attribute("__kwdefaults__"), "dict");
    let rows = shop.heap.object("list");
    shop.heap.entry(defaults, "rows", rows);
    let row = shop.held(rows, Via::Item(0), "shop.Row");
    shop.assert_held_by(row, "default argument 'rows' of shop.by_name()");
}

#[test]
fn what_atexit_keeps_is_told_from_the_callback() {
    let mut shop = Shop::new("shop");
    let field = "atexit callbacks";
    let callback = |shop: &mut Shop, function| {
        let code = shop.held(function, Via::Attribute("__code__"), "code");
        shop.text(code, Via::Attribute("co_name"), "save");
        let rows = shop.held(function, Via::Attribute("rows"), "list");
        shop.held(rows, Via::Item(0), "shop.Row")
    };
    let function = shop.heap.object("function");
    let direct = callback(&mut shop, function);
    shop.heap
        .named_root(RootKind::Interpreter, function, 0, field);
    shop.assert_held_by(direct, "atexit callback save.rows");
    let list = shop.heap.object("list");
    shop.heap.named_root(RootKind::Interpreter, list, 0, field);
    let entry = shop.held(list, Via::Item(0), "tuple");
    let function = shop.held(entry, Via::Item(0), "function");
    let listed = callback(&mut shop, function);
    shop.assert_held_by(listed, "atexit callback save.rows");
    let arguments = shop.held(entry, Via::Item(1), "tuple");
    let cart = shop.held(arguments, Via::Item(0), "shop.Cart");
    let row = shop.held(cart, Via::Attribute("row"), "shop.Row");
    shop.assert_held_by(row, "arguments of an atexit callback[0]");
    let modules = shop.modules;
    let atexit = shop.heap.module(modules, "atexit");
    let function = shop.held(atexit, Via::Unnamed, "function");
    let early = callback(&mut shop, function);
    shop.assert_held_by(early, "atexit callback save.rows");
}

#[test]
fn what_an_lru_cache_keeps_is_its_cache() {
    let mut shop = Shop::new("shop");
    let price = shop.global("price", "functools._lru_cache_wrapper");
    let cache = shop.held(price, Via::Unnamed, "dict");
    let cached = shop.held(cache, Via::Value(0), "shop.Price");
    shop.assert_held_by(cached, "shop.price cache");
}

#[test]
fn locals_of_suspended_functions_go_by_the_function() {
    let mut shop = Shop::new("shop");
    let kinds = [
        ("coroutine", "coroutine Worker.run(): local rows"),
        ("generator", "generator Worker.run(): local rows"),
        (
            "async_generator",
            "async generator Worker.run(): local rows",
        ),
    ];
    for (kind, name) in kinds {
        let module = shop.module;
        let suspended = shop.suspended(module, Via::Attribute(kind), kind, "Worker.run");
        let rows = shop.held(suspended, Via::Local("rows"), "list");
        let row = shop.held(rows, Via::Item(0), "shop.Row");
        shop.assert_held_by(row, name);
        shop.heap.state(suspended, ObjectState::Suspended(31));
        shop.assert_held_by(row, &name.replace("():", "() at line 31:"));
    }
}

#[test]
fn a_frame_object_of_a_suspended_function_is_a_part_of_it() {
    let mut shop = Shop::new("shop");
    let coroutine = shop.global("WORK", "coroutine");
    let frame = shop.held(coroutine, Via::Internal("frame"), "frame");
    let code = shop.held(frame, Via::Attribute("f_code"), "code");
    shop.text(code, Via::Attribute("co_name"), "run");
    let rows = shop.held(frame, Via::Local("rows"), "list");
    let row = shop.held(rows, Via::Item(0), "shop.Row");
    shop.assert_held_by(row, "coroutine run(): local rows");
    let heap = shop.heap.finish();
    let path = Paths::find(&heap).to(&heap, row).unwrap();
    let typed = "sys.modules['shop'].WORK.cr_frame.f_locals['rows'][0]";
    assert_eq!((&*path.expression, path.is_evaluable), (typed, true));
}

#[test]
fn objects_of_which_there_is_one_go_by_their_own_name() {
    let mut shop = Shop::new("shop");
    let own = shop.global("LOOP", "asyncio.unix_events._UnixSelectorEventLoop");
    let scheduled = shop.held(own, Via::Attribute("_scheduled"), "list");
    let session = shop.held(scheduled, Via::Item(4), "shop.Session");
    shop.assert_held_by(session, "asyncio loop._scheduled");
    let manager = shop.global("MANAGER", "logging.Manager");
    let loggers = shop.held(manager, Via::Attribute("loggerDict"), "dict");
    let logger = shop.held(loggers, Via::Value(4), "logging.Logger");
    shop.assert_held_by(logger, "logging.Logger.manager.loggerDict");
}

#[test]
fn weak_containers_stand_for_what_they_keep() {
    let mut shop = Shop::new("shop");
    let notes = shop.global("NOTES", "weakref.WeakKeyDictionary");
    let data = shop.held(notes, Via::Attribute("data"), "dict");
    let note = shop.held(data, Via::Value(0), "shop.Note");
    shop.assert_held_by(note, "shop.NOTES");
    // Where attributes are in a `dict`.
    let names = shop.global("NAMES", "_weakrefset.WeakSet");
    let data = shop.heap.object("set");
    shop.heap.attribute(names, "data", data);
    let name = shop.held(data, Via::Member(0), "shop.Name");
    shop.assert_held_by(name, "shop.NAMES");
}

#[test]
fn modules_are_held_by_sys_modules() {
    let mut shop = Shop::new("shop");
    let modules = shop.modules;
    let rule = shop.heap.module(modules, "rule_7");
    shop.assert_held_by(rule, "sys.modules");
}
