# The threads of the process. LOCALS tells whether values of variables are wanted. Rows:
#   {"own": ident}                         the thread that this runs in, which is no one else's
#   {"ident", "name", ...}                 what `threading` knows of a thread, in its order
#   {"stack": ident, "frames": [...]}      frames, newest first; more rows go on with them
#   {"locals": ident, "from", "values"}    variables of the frames from that number on

MOST_FRAMES = 1000
FRAMES_A_ROW = 10
MOST_LOCALS = 20
LONGEST_VALUE = 60
MOST_PLACES = 10


def describe(object):
    if object is not None:
        return
    threading, own = module("threading"), own_ident()
    yield {"own": own}
    # `enumerate` would wait for a lock that a thread held when the copy was made.
    known = dict(getattr(threading, "_active", None) or {})
    for ident, thread in list(known.items()):
        if ident != own:
            yield described(ident, thread)
    stacks = sys._current_frames()
    stacks.pop(own, None)
    frames = {ident: chain(frame) for ident, frame in stacks.items()}
    for ident, stack in frames.items():
        lines = source_lines(stack)
        for first in range(0, max(len(stack), 1), FRAMES_A_ROW):
            part = stack[first : first + FRAMES_A_ROW]
            rows = [place(*one) for one in zip(part, lines[first:])]
            yield {"stack": ident, "frames": rows}
    for ident, stack in frames.items() if LOCALS else ():
        # 20 variables of 60 characters, escaped, have to fit a row.
        for first in range(0, len(stack), 2):
            values = [variables(frame) for frame, _ in stack[first : first + 2]]
            if any(values):
                yield {"locals": ident, "from": first, "values": values}


def described(ident, thread):
    fields = getattr(thread, "__dict__", None) or {}
    target = fields.get("_target")
    if target is None and calls_later(thread):
        target = fields.get("function")
    if target is not None:
        target = name_of(called(target))
    elif type(thread).__module__ != "threading":
        target = name_of(type(thread)) + ".run"
    return known_as(ident, fields, target, made_at(thread))


def calls_later(thread):
    """Whether it is a `threading.Timer`, or of a subclass that does as that."""
    timer = getattr(module("threading"), "Timer", None)
    bases = type.__dict__["__mro__"].__get__(type(thread))
    return timer in bases and all("run" not in base.__dict__ for base in bases[:bases.index(timer)])


def made_at(thread):
    """Where it was made, innermost last, as `tracemalloc` knows where that is on."""
    trace = getattr(module("_tracemalloc"), "_get_object_traceback", None)
    frames = trace(thread) if trace else None
    places = [{"file": short(file, 400), "line": line} for file, line in frames or ()]
    return places[MOST_PLACES - 1 :: -1]


def called(target):
    """The function of a method or of a `functools.partial`; the class of what else can be called."""
    functools = module("functools")
    for _ in range(5):
        if type(target) in (type(described), type(len)):
            return target
        if functools and type(target) is functools.partial:
            target = target.func
        elif type(target) is type(rows.begin):
            target = target.__func__
        else:
            break
    return type(target)


def known_as(ident, fields, target, places):
    name, native = fields.get("_name"), fields.get("_native_id")
    return {
        "ident": ident,
        "name": short(str.__str__(name), 300) if isinstance(name, str) else None,
        "daemon": bool(fields.get("_daemonic")),
        "native_id": native if isinstance(native, int) else None,
        "target": target,
        "made_at": places,
    }


def name_of(function):
    where, name = function.__module__, function.__qualname__
    return short("%s.%s" % (where, name) if where and where != "builtins" else name, 300)


def chain(frame):
    stack = []
    while frame is not None and len(stack) < MOST_FRAMES:
        stack.append((frame, frame.f_lineno))
        frame = frame.f_back
    return stack


def source_lines(stack):
    """As `traceback` shows them, where it is loaded; else they are read from outside."""
    traceback = module("traceback")
    if traceback is None:
        return [None] * len(stack)
    try:
        return [one.line or "" for one in traceback.StackSummary.extract(stack)]
    except Exception:
        return [None] * len(stack)


def place(frame_and_line, source):
    frame, line = frame_and_line
    code = frame.f_code
    return {
        "file": short(code.co_filename, 1000),
        "line": line,
        "name": short(code.co_name, 200),
        "qualname": short(getattr(code, "co_qualname", None) or "", 300) or None,
        "source": None if source is None else short(source, 400),
    }


def variables(frame):
    try:
        values = list(frame.f_locals.items())[:MOST_LOCALS]
    except Exception:
        return []
    return [(short(str(name), LONGEST_VALUE), value_text(value)) for name, value in values]


def value_text(value):
    """A number or a text; of all else its type, so that no code of the target runs."""
    kind = type(value)
    if value is None or kind in (bool, float, complex):
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() < 120 else "<int of %d bits>" % value.bit_length()
    if kind in (str, bytes):
        return short(repr(value[: LONGEST_VALUE + 1]), LONGEST_VALUE)
    if kind in (list, tuple, dict, set, frozenset, bytearray):
        return "<%s of %d>" % (kind.__name__, len(value))
    return "<%s at %#x>" % (short(name_of(kind), LONGEST_VALUE), id(value))
