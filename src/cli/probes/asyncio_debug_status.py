# Event loops: whether they are in debug mode, and who would hear of it.


def attribute(obj, name):
    """`obj.name`, or None, whatever the class makes of it."""
    try:
        return getattr(obj, name, None)
    except Exception:
        return None


def answer(obj, name):
    """What a method returns, or None."""
    try:
        return getattr(obj, name)()
    except Exception:
        return None


def whether(value):
    return value if type(value) is bool else None


def level(logger):
    value = attribute(logger, "level")
    return value if type(value) is int else None


def process():
    logging, os = module("logging"), module("os")
    row = {"kind": "process", "has_asyncio": module("asyncio.events") is not None,
           "dev_mode": bool(sys.flags.dev_mode)}
    if os is not None and not sys.flags.ignore_environment:
        row["variable"] = bool(os.environ.get("PYTHONASYNCIODEBUG"))
    if logging is not None:
        root = logging.root
        row["root_level"] = level(root)
        row["root_handlers"] = len(root.handlers)
        of_asyncio = root.manager.loggerDict.get("asyncio")
        row["asyncio_level"] = level(of_asyncio)
    yield row


def loop_row(loop):
    slow = attribute(loop, "slow_callback_duration")
    thread = attribute(loop, "_thread_id")
    threads = attribute(module("threading"), "_active")
    known = threads.get(thread) if type(threads) is dict and type(thread) is int else None
    name = attribute(known, "name")
    kind = type(loop)
    yield {"kind": "loop", "type": "%s.%s" % (kind.__module__, kind.__qualname__),
           "debug": whether(answer(loop, "get_debug")),
           "slow_callback_seconds": float(slow) if type(slow) in (int, float) else None,
           "is_running": whether(answer(loop, "is_running")),
           "is_closed": whether(answer(loop, "is_closed")),
           "thread_name": short(name) if type(name) is str else None}


def describe(obj):
    return process() if obj is None else loop_row(obj)
