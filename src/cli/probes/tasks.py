# A row for each event loop, each asyncio task, and each coroutine that never began. What asyncio
# keeps is read by its own descriptors, so no method of a subclass is called. `REPRS` asks for reprs.
import gc
import sys

MAX_CHAIN = 50
MAX_AWAITED_BY = 50
MAX_CALLBACKS = 200
MAX_PLACES = 10


def nothing():
    pass


FUNCTION, METHOD = type(nothing), type(type("", (), {"f": nothing})().f)
GETSET, MEMBER = type(FUNCTION.__dict__["__code__"]), type(FUNCTION.__dict__["__closure__"])
BUILTIN, MODULE, GENERATOR = type(len), type(sys), type(_ for _ in ())
SELF, CLOSURE = BUILTIN.__dict__["__self__"], FUNCTION.__dict__["__closure__"]


async def native():
    pass


async def native_generator():
    yield


example = native()
COROUTINE, ASYNC_GENERATOR = type(example), type(native_generator())
example.close()


def known(module_name, *names):
    """The classes of a loaded module by these names, without those that it does not have."""
    found = [getattr(module(module_name), name, None) for name in names]
    return tuple(one for one in found if isinstance(one, type))


C_FUTURE, C_TASK = known("_asyncio", "Future"), known("_asyncio", "Task")
PY_FUTURE, PY_TASK = known("asyncio.futures", "_PyFuture"), known("asyncio.tasks", "_PyTask")
PARTIAL = known("functools", "partial")


kinds = {}


def mro_of(of):
    """The bases of a type that nothing has asked yet are not known, nor is what is in it."""
    return type.__dict__["__mro__"].__get__(of) or (of,)


def within(of):
    return type.__dict__["__dict__"].__get__(of) or {}


def kind_of_future(thing):
    """Whether it is a task, a future or task, and one of native code: by its type alone, as a class
    may lie about its instances."""
    of = type(thing)
    known = kinds.get(id(of))
    if known is None:
        bases = mro_of(of)
        is_native = any(base in bases for base in C_TASK + C_FUTURE)
        is_task = any(base in bases for base in C_TASK + PY_TASK)
        is_future = is_native or any(base in bases for base in PY_FUTURE)
        getters = getters_of((C_TASK if is_task else C_FUTURE)[0]) if is_native else None
        # With the type, so that its id stays its own.
        known = kinds[id(of)] = is_task, is_future, is_native, getters, of
    return known


def getters_of(owner):
    """How the fields of a native class are read, by name."""
    return {name: one.__get__ for base in reversed(owner.__mro__)
            for name, one in base.__dict__.items() if type(one) in (GETSET, MEMBER)}


def is_task(thing):
    return kind_of_future(thing)[0]


def is_future(thing):
    return kind_of_future(thing)[1]


def is_native(thing):
    return kind_of_future(thing)[2]


def field(thing, name):
    """A field that native code keeps, or None: no Python code of the target answers."""
    for base in mro_of(type(thing)):
        found = within(base).get(name)
        if type(found) in (GETSET, MEMBER):
            try:
                return found.__get__(thing)
            except Exception:
                return None
    return None


def attributes(thing):
    """The `__dict__` of an instance, or an empty one."""
    try:
        found = object.__getattribute__(thing, "__dict__")
        return found if type(found) is dict else {}
    except Exception:
        return {}


def slot(future, name):
    """What asyncio keeps of a future or task under `name`."""
    getters = kind_of_future(future)[3]
    if getters is not None:
        try:
            return getters[name](future) if name in getters else None
        except Exception:
            return None
    kept = attributes(future)
    for base in PY_TASK + PY_FUTURE:
        if name not in kept and name in base.__dict__:
            kept = base.__dict__
    found = kept.get(name)
    return None if type(found) is property else found


def type_name(thing):
    kind = type(thing)
    of, name = (type.__dict__[part].__get__(kind) for part in ("__module__", "__qualname__"))
    return short(of + "." + name if type(of) is str and of != "builtins" else name, 200)


modules_of_files = {}


def module_of(code):
    """The module that a file is, for code whose frame is gone."""
    if not modules_of_files:
        modules_of_files[""] = None
        for name, one in list(sys.modules.items()):
            file = attributes(one).get("__file__") if isinstance(one, MODULE) else None
            if type(file) is str and type(name) is str:
                modules_of_files.setdefault(file, name)
    return modules_of_files.get(code.co_filename)


places = {}


def place(thing, kind, prefix):
    """Where a coroutine, generator or async generator stands; without a line when it is over. Many stand at one
    place, which is made into JSON once."""
    if type(thing) is COROUTINE:
        code, frame, name = thing.cr_code, thing.cr_frame, thing.__qualname__
    else:
        code, frame = field(thing, prefix + "code"), field(thing, prefix + "frame")
        name = field(thing, "__qualname__")
    if type(name) is not str:
        name = type_name(thing)
    if not hasattr(code, "co_firstlineno"):
        return Encoded(json({"kind": kind, "name": short(name, 200)}))
    of = frame.f_globals.get("__name__") if hasattr(frame, "f_globals") else module_of(code)
    of = of if type(of) is str else None
    line = frame.f_lineno if hasattr(frame, "f_lineno") else None
    key = id(code), line, name, of, kind
    known = places.get(key)
    if known is None:
        told = {"kind": kind, "name": short(name, 200), "module": of and short(of, 200),
                "file": short(code.co_filename, 400), "first_line": code.co_firstlineno, "line": line}
        # With the code, so that its id stays its own.
        known = places[key] = Encoded(json(told)), code
    return known[0]


KINDS = (("coroutine", "cr_", "await"), ("generator", "gi_", "yieldfrom"), ("async generator", "ag_", "await"))


awaitables = {}
KINDS_OF_COROUTINE = "coroutine", "cr_", "cr_await"


def kind_of(thing):
    """Its kind, the prefix of its fields, and the field that says what it awaits; None for others."""
    of = type(thing)
    if of is COROUTINE:
        return KINDS_OF_COROUTINE
    if id(of) not in awaitables:
        found = None
        for kind, prefix, next_field in KINDS:
            if any(prefix + "running" in within(base) for base in mro_of(of)):
                found = kind, prefix, prefix + next_field
        awaitables[id(of)] = found, of
    return awaitables[id(of)][0]


def inner(thing):
    """What an awaitable that shows nothing of itself goes on with: an `asend`, a wrapper, a class."""
    nearest = gc.get_referents(thing)
    for one in nearest + [value for one in nearest if type(one) is dict for value in one.values()]:
        if kind_of(one) or is_future(one):
            return one
    return None


def chain_of(awaitable):
    """Places from the outermost awaitable to the innermost, whether more follow, and what ends it."""
    chain, seen = [], set()
    while awaitable is not None and not is_future(awaitable) and id(awaitable) not in seen:
        if len(chain) == MAX_CHAIN:
            return chain, True, None
        seen.add(id(awaitable))
        kind = kind_of(awaitable)
        if kind is None:
            name = type_name(awaitable)
            after = inner(awaitable)
            # An iterator over a future, or the step of an async generator, is no place of its own.
            if not (name.startswith("_asyncio.") or name in PASSED_OVER):
                chain.append(Encoded(json({"kind": "object", "name": name})))
            awaitable = after
        else:
            chain.append(place(awaitable, kind[0], kind[1]))
            is_plain = type(awaitable) is COROUTINE
            awaitable = awaitable.cr_await if is_plain else field(awaitable, kind[2])
    return chain, False, awaitable if is_future(awaitable) else None


PASSED_OVER = ("coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable")


def has_begun(coroutine):
    """Whether any of its code has run."""
    if sys.version_info >= (3, 11) and field(coroutine, "cr_suspended"):
        return True
    frame = field(coroutine, "cr_frame")
    if frame is None or field(coroutine, "cr_running"):
        return True
    return sys.version_info < (3, 11) and frame.f_lasti != -1


def made_by(callback):
    """The function of asyncio that a callback belongs to: `gather.<locals>._done_callback`."""
    name = field(callback, "__qualname__")
    return name.split(".")[0].strip("_") if type(name) is str and "<locals>" in name else None


def woken(callback):
    """Tasks and futures that a callback goes on to, each with how: `await`, `gather`, `wait`…"""
    if any(base in PARTIAL for base in mro_of(type(callback))):
        function = callback.func
        via = {"_release_waiter": "wait_for"}.get(field(function, "__name__"), made_by(function))
        for one in callback.args:
            if is_future(one) and not is_task(one):
                yield one, via
    elif type(callback) is METHOD:
        owner, name = callback.__self__, field(callback.__func__, "__name__")
        if is_task(owner):
            if name.endswith("__wakeup"):
                yield owner, "await"
        else:
            for one in host(owner):
                yield one
    elif type(callback) is FUNCTION:
        for cell in CLOSURE.__get__(callback) or ():
            try:
                one = cell.cell_contents
            except ValueError:
                continue
            if is_future(one):
                if not is_task(one):
                    yield one, made_by(callback)
            else:
                for found in host(one):
                    yield found
    elif type(callback) is BUILTIN:
        if callback.__name__ == "task_wakeup" and is_task(SELF.__get__(callback)):
            yield SELF.__get__(callback), "await"
    elif type(callback).__name__ == "TaskWakeupMethWrapper":
        for one in gc.get_referents(callback):
            if is_task(one):
                yield one, "await"


def host(owner):
    """Who waits for what belongs to a task group, or for the results of `as_completed`."""
    name, kept = type_name(owner), attributes(owner)
    if name == "asyncio.taskgroups.TaskGroup":
        if is_task(kept.get("_parent_task")):
            yield kept["_parent_task"], "TaskGroup"
    elif name == "anyio._backends._asyncio.TaskGroup":
        task = attributes(kept.get("cancel_scope")).get("_host_task")
        if is_task(task):
            yield task, "anyio.TaskGroup"
    elif name == "asyncio.tasks._AsCompletedIterator":
        for one in host(kept.get("_done")):
            yield one
    elif name == "asyncio.queues.Queue":
        for one in list(kept.get("_getters") or ())[:MAX_CALLBACKS]:
            if is_future(one):
                yield one, "as_completed"


WAITERS = "_callbacks", "_asyncio_awaited_by", "_Future__asyncio_awaited_by"


def next_up(future):
    for entry in list(slot(future, "_callbacks") or ())[:MAX_CALLBACKS]:
        for found in woken(entry[0] if type(entry) is tuple else entry):
            yield found
    for one in list(slot(future, "_asyncio_awaited_by") or slot(future, "_Future__asyncio_awaited_by") or ()):
        if is_future(one):
            yield one, None


def awaited_by(task):
    """Address of each task that waits for this one, and by what."""
    if not any(slot(task, name) for name in WAITERS):
        return []
    found, seen, todo = {}, {id(task)}, [(task, None)]
    while todo and len(found) < MAX_AWAITED_BY and len(seen) < 10 * MAX_CALLBACKS:
        future, by = todo.pop(0)
        for one, how in next_up(future):
            # The word nearest to the task is the one that tells: it is gathered, not the future.
            via = by or ("gather" if type(one).__name__ == "_GatheringFuture" else how)
            if is_task(one):
                if one is not task and not found.get(id(one)):
                    found[id(one)] = via
            elif id(one) not in seen:
                seen.add(id(one))
                todo.append((one, via))
    return [[address, via or "await"] for address, via in found.items()]


def waits_for(future):
    if not is_future(future):
        return None
    told = {"address": id(future), "type": type_name(future), "is_task": is_task(future),
            "is_done": slot(future, "_state") != "PENDING"}
    children = None
    if told["type"] == "asyncio.tasks._GatheringFuture":
        # It has attributes and no `__dict__`.
        children = object.__getattribute__(future, "_children")
    if type(children) is list:
        told["n_children"] = len(children)
        told["n_pending"] = sum(is_future(one) and slot(one, "_state") == "PENDING" for one in children)
    return told


def places_of(entries):
    """Frames as (file, line, function), innermost last, of a summary of a stack or of an origin."""
    found = []
    for entry in list(entries or ())[-MAX_PLACES:]:
        try:
            file, line, function = tuple(entry)[:3]
            found.append({"file": short(str(file), 400), "line": int(line), "function": short(str(function), 200)})
        except Exception:
            continue
    return found


def exception_of(exception):
    if exception is None:
        return None
    told = {"type": type_name(exception), "file": None, "line": None}
    step, n_steps = field(exception, "__traceback__"), 0
    while step is not None and n_steps < 10000:
        told["file"], told["line"] = short(step.tb_frame.f_code.co_filename, 400), step.tb_lineno
        step, n_steps = step.tb_next, n_steps + 1
    return told


def name_of(task):
    if is_native(task):
        return C_TASK[0].get_name(task)
    return slot(task, "_name")


def is_running(coroutine):
    kind = kind_of(coroutine)
    return bool(kind and field(coroutine, kind[1] + "running"))


def describe_task(task):
    coroutine, loop, waiter = slot(task, "_coro"), slot(task, "_loop"), slot(task, "_fut_waiter")
    chain, is_cut, future = chain_of(coroutine)
    name = name_of(task)
    told = {
        "kind": "task",
        "name": short(name, 200) if type(name) is str else None,
        "loop": id(loop) if loop is not None else None,
        "state": slot(task, "_state"),
        "running": is_running(coroutine),
        "must_cancel": bool(slot(task, "_must_cancel")),
        "n_cancels": slot(task, "_num_cancels_requested") or 0,
        "coroutine": id(coroutine) if coroutine is not None else None,
        "chain": chain,
        "chain_is_cut": is_cut,
        "waits_for": waits_for(waiter if waiter is not None else future),
        "awaited_by": awaited_by(task),
        "created_at": places_of(slot(task, "_source_traceback")),
        "exception": exception_of(slot(task, "_exception")),
        "unretrieved": bool(slot(task, "_log_traceback") or slot(task, "_Future__log_traceback")),
    }
    if is_native(task) and hasattr(C_TASK[0], "cancelling"):
        told["n_cancels"] = C_TASK[0].cancelling(task)
    while len(chain) > 4 and sum(len(one.text) for one in chain) > 14000:
        told["chain_is_cut"] = True
        chain.pop()
    yield {name: one for name, one in told.items() if one or name == "chain"}
    if globals().get("REPRS") and told["state"] == "PENDING":
        yield {"kind": "repr", "text": short(repr_of(task), 7000)}


def repr_of(task):
    """As Home Assistant logs it."""
    limits = getattr(module("reprlib"), "aRepr", None)
    if limits is not None:
        limits.maxstring = limits.maxother = 300
    try:
        return repr(task)
    except Exception:
        return "Failed to serialize %s" % type(task)


def thread_of(loop):
    """Ident of the thread that runs it: asyncio's own note, or the thread whose frames know it."""
    kept = attributes(loop)
    if "_thread_id" in kept:
        return kept["_thread_id"]
    own = own_ident()
    for ident, frame in sys._current_frames().items():
        for _ in range(100):
            # This very function knows it too.
            if frame is None or ident == own:
                break
            for value in list(frame.f_locals.values()):
                if value is loop or type_name(value) == "asyncio.runners.Runner" and attributes(value).get("_loop") is loop:
                    return ident
            frame = frame.f_back
    return None


def answer_of(loop, name):
    try:
        return bool(getattr(loop, name)())
    except Exception:
        return None


def describe_loop(loop):
    kept = attributes(loop)
    is_running = kept["_thread_id"] is not None if "_thread_id" in kept else answer_of(loop, "is_running")
    ident = thread_of(loop) if is_running else None
    thread = getattr(module("threading"), "_active", {}).get(ident)
    yield {
        "kind": "loop",
        "type": type_name(loop),
        "running": is_running,
        "closed": kept["_closed"] is True if "_closed" in kept else answer_of(loop, "is_closed"),
        "debug": kept["_debug"] is True if "_debug" in kept else answer_of(loop, "get_debug"),
        "thread": ident,
        "native_thread": attributes(thread).get("_native_id"),
        "in_main_thread": thread is not None and thread is getattr(module("threading"), "_main_thread", None),
        "thread_name": short(str(attributes(thread).get("_name")), 200) if thread is not None else None,
    }


def describe_coroutine(coroutine):
    if has_begun(coroutine):
        return
    yield {"kind": "coroutine", "place": place(coroutine, "coroutine", "cr_"),
           "created_at": places_of(field(coroutine, "cr_origin"))}


def describe_owner(task):
    """A task that is none of asyncio's: its coroutine begins when its own loop comes to it."""
    name = OWNERS[type_name(task)]
    coroutine = field(task, name) or attributes(task).get(name)
    if type(coroutine) is COROUTINE:
        yield {"kind": "owner", "coroutine": id(coroutine)}


# Tasks of other frameworks, and where they keep their coroutines.
OWNERS = {"trio.lowlevel.Task": "coro", "curio.task.Task": "coro"}


def describe(thing):
    if thing is None:
        return [{"kind": "process", "asyncio": module("asyncio") is not None}]
    if type(thing) is COROUTINE:
        return describe_coroutine(thing)
    if is_task(thing):
        return describe_task(thing)
    if type_name(thing) in OWNERS:
        return describe_owner(thing)
    if kind_of(thing) is None and not isinstance(thing, type):
        return describe_loop(thing)
    return None
