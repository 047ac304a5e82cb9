# Event loops, and what they are to call: timers and handles that are ready.
# `HA_LINES = True` behind this source adds what Home Assistant's profiler logs.
HA_LINES = False
FUNCTION = type(lambda: None)
MAX_ADDRESSES = 1000
MAX_FRAMES = 12


def attribute(obj, name):
    """`obj.name`, or None, whatever the class makes of it."""
    try:
        return getattr(obj, name, None)
    except Exception:
        return None


def answer(method, *args):
    """What a call returns, or None."""
    try:
        return method(*args)
    except Exception:
        return None


def string(value, most=500):
    return short(value, most) if type(value) is str else None


def seconds(value):
    return float(value) if type(value) in (int, float) else None


def name_of(kind):
    """`module.qualname` of a type or a function."""
    name = string(attribute(kind, "__qualname__")) or string(attribute(kind, "__name__"))
    place = string(attribute(kind, "__module__"))
    return place + "." + name if name and place else name


def place_of(code):
    if type(attribute(code, "co_filename")) is not str:
        return {}
    return {"file": short(code.co_filename, 4000), "line": code.co_firstlineno}


def callback_of(callback):
    """What a callback is called, where it stands, and whose method it is."""
    row, bound = {}, None
    for _ in range(8):
        inner = attribute(callback, "func")
        if inner is None or not issubclass(type(callback), module("functools").partial):
            break
        row["is_partial"] = True
        callback = inner
    owner = attribute(callback, "__self__")
    if owner is not None and not issubclass(type(owner), type(sys)):
        bound = owner
        row["bound_type"] = name_of(owner if issubclass(type(owner), type) else type(owner))
        row["bound_address"] = id(owner)
    function = attribute(callback, "__func__") or callback
    if type(function) is FUNCTION or attribute(function, "__qualname__") is not None:
        row["callback"] = name_of(function)
        if bound is not None and type(function) is not FUNCTION:
            # A method of C: its module is None, and its name that of the class.
            name = string(attribute(function, "__name__"))
            row["callback"] = "%s.%s" % (row["bound_type"], name) if name else row["callback"]
    else:
        row["callback"] = name_of(type(function))
        if bound is None:
            row["bound_type"], row["bound_address"] = name_of(type(function)), id(function)
        function = attribute(type(function), "__call__")
    for _ in range(8):
        inner = attribute(function, "__wrapped__")
        if inner is None:
            break
        function = inner
    row.update(place_of(attribute(function, "__code__")))
    return row, bound


def task_of(obj):
    """A task, and the coroutine that it runs."""
    get_coro = attribute(obj, "get_coro")
    coroutine = answer(get_coro) if get_coro is not None else None
    if coroutine is None:
        return None
    code = attribute(coroutine, "cr_code") or attribute(coroutine, "gi_code")
    frame = attribute(coroutine, "cr_frame") or attribute(coroutine, "gi_frame")
    row = place_of(code)
    name = string(attribute(coroutine, "__qualname__"))
    place = None if frame is None else string(frame.f_globals.get("__name__"))
    row["coroutine"] = place + "." + name if place and name else name
    if frame is not None:
        row["line"] = frame.f_lineno
    row["task"] = string(answer(attribute(obj, "get_name")), 200)
    row["task_address"] = id(obj)
    return row


def waiter_of(bound, args):
    """The task that waits for the callback: it sleeps, or has a timeout."""
    direct = [bound, attribute(bound, "_task")]
    first = args[0] if type(args) is tuple and args else None
    direct.append(first)
    callbacks = attribute(first, "_callbacks")
    if type(callbacks) is list:
        for one in callbacks[:8]:
            direct.append(attribute(one[0] if type(one) is tuple else one, "__self__"))
    for obj in direct:
        found = None if obj is None else task_of(obj)
        if found:
            return found
    return None


def frames_of(traceback):
    """Where a handle was made, innermost last; only in debug mode."""
    frames = []
    if issubclass(type(traceback), list):
        for frame in traceback[-MAX_FRAMES:]:
            file, line = attribute(frame, "filename"), attribute(frame, "lineno")
            if type(file) is str and type(line) is int:
                frames.append({"file": short(file, 1000), "line": line,
                               "function": string(attribute(frame, "name"))})
    return frames


def thread_of(loop):
    thread = attribute(loop, "_thread_id")
    threads = attribute(module("threading"), "_active")
    if type(thread) is not int:
        return {}
    known = threads.get(thread) if type(threads) is dict else None
    return {"thread": thread, "thread_name": string(attribute(known, "name"))}


def parts(kind, handles):
    """The addresses of handles in their order, as many as a packet holds at a time."""
    addresses = [id(handle) for handle in handles]
    for start in range(0, len(addresses), MAX_ADDRESSES):
        yield {"kind": kind, "addresses": addresses[start:start + MAX_ADDRESSES]}


def loop_rows(loop):
    timers, ready = attribute(loop, "_scheduled"), attribute(loop, "_ready")
    is_uvloop = any(name_of(base) == "uvloop.loop.Loop" for base in type(loop).__mro__)
    row = {"kind": "loop", "type": name_of(type(loop)), "is_uvloop": is_uvloop}
    row.update(thread_of(loop))
    for key, name in (("is_running", "is_running"), ("is_closed", "is_closed"),
                      ("debug", "get_debug")):
        value = answer(attribute(loop, name))
        row[key] = value if type(value) is bool else None
    if is_uvloop:
        timers, ready = uvloop_queues(loop)
    row["has_queues"] = type(timers) in (list, set)
    yield row
    yield {"kind": "time", "now": seconds(answer(attribute(loop, "time")))}
    yield from parts("timers", timers if type(timers) in (list, set) else ())
    yield from parts("ready", ready if ready is not None else ())


def uvloop_queues(loop):
    """Its set of timers and its deque of ready handles, which it has no names for in Python."""
    timers, ready = None, None
    for field in module("gc").get_referents(loop):
        if type(field) is set and all(type(one).__name__ == "TimerHandle" for one in field):
            timers = field if timers is None or len(field) else timers
        elif type(field).__name__ == "deque" and all(
                type(one).__name__ == "Handle" for one in list(field)):
            ready = field
    return timers, ready


def handle_row(loop, callback, args, traceback, cancelled, when):
    row = {"kind": "handle", "loop": id(loop), "is_cancelled": bool(cancelled)}
    if when is not None:
        row["when"] = seconds(when)
    row["n_args"] = len(args) if type(args) is tuple else 0
    bound = None
    if callback is not None:
        known, bound = callback_of(callback)
        row.update(known)
    row["made_at"] = frames_of(traceback)
    yield row
    waiter = waiter_of(bound, args)
    if waiter:
        yield dict(waiter, kind="waiter")


def asyncio_handle(handle):
    yield from handle_row(
        attribute(handle, "_loop"), attribute(handle, "_callback"), attribute(handle, "_args"),
        attribute(handle, "_source_traceback"), attribute(handle, "_cancelled"),
        attribute(handle, "_when"))
    if HA_LINES and attribute(handle, "_when") is not None:
        reprlib = module("reprlib")
        if reprlib is not None:
            reprlib.aRepr.maxstring = reprlib.aRepr.maxother = 300
        try:
            line = str(handle)
        except Exception:
            line = "Failed to serialize %r" % type(handle)
        yield {"kind": "ha", "text": "Scheduled: " + short(line, 20000)}


def uvloop_handle(handle):
    """Its fields have no names; what they are shows in their types."""
    loop_type = module("asyncio").AbstractEventLoop
    loop, callback, args, traceback = None, None, None, None
    for field in module("gc").get_referents(handle):
        if issubclass(type(field), loop_type):
            loop = field
        elif type(field) is tuple:
            args = field
        elif issubclass(type(field), list):
            traceback = field
        elif callable(field) and callback is None and type(field).__name__ != "Context":
            callback = field
    when = attribute(handle, "when")
    yield from handle_row(loop, callback, args, traceback, answer(attribute(handle, "cancelled")),
                          None if when is None else answer(when))


def describe(obj):
    if obj is None:
        return iter([{"kind": "process", "has_asyncio": module("asyncio.events") is not None}])
    names = {name_of(base) for base in type.__dict__["__mro__"].__get__(type(obj))}
    if "asyncio.events.AbstractEventLoop" in names:
        return loop_rows(obj)
    if "asyncio.events.Handle" in names:
        return asyncio_handle(obj)
    return uvloop_handle(obj)
