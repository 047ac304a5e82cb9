"""Objects that appear in places of all kinds, one class for each place.

`grow(first, n)` adds `n` objects to each place. Expressions are evaluated as in any target, so that
the `id()` of what a path leads to can be asked for.
"""
import atexit
import collections
import functools
import types
import weakref

PLACES = [
    "global_dict", "big_dict", "global_list", "class_list", "closure", "default", "bound_method",
    "generator", "coroutine", "frame", "deque", "set", "slots", "nested", "lru", "attribute",
    "tuple_key", "partial", "ordered", "default_dict", "dict_sub", "chain", "number_key", "at_exit",
]


class Leaked:
    pass


for place in PLACES:
    globals()["In_" + place] = type("In_" + place, (Leaked,), {"__module__": "__main__"})

GLOBAL_DICT = {}
BIG_DICT = {"session-%d" % n: None for n in range(500)}
GLOBAL_LIST = []
DEQUE = collections.deque()
SET = set()
NESTED = {"rooms": {"lobby": {"seats": []}}, 7: {"seats": []}}
TUPLE_KEYS = {}
ORDERED = collections.OrderedDict()
DEFAULT_DICT = collections.defaultdict(list)
HEAD = [None]


class Registry:
    entries = []


class DictSub(dict):
    pass


DICT_SUB = DictSub()


class Slotted:
    __slots__ = ("held", "unset")


SLOTTED = Slotted()
SLOTTED.held = []


class Service:
    def __init__(self):
        self.inner = Slotted()
        self.inner.held = {"rows": []}

    def on_event(self):
        pass


SERVICE = Service()


class Listener:
    def __init__(self, held):
        self.held = held

    def on_event(self):
        pass


LISTENERS = []


def closure():
    kept = []

    def keep(one):
        kept.append(one)

    return keep


keep_in_closure = closure()


def keep_in_default(one, kept=[]):
    kept.append(one)


class Kept(list):
    """A list to which nothing needs to refer but what is asked about."""


def forget_at_exit():
    kept = Kept()

    def forget():
        kept.clear()

    atexit.register(forget)
    return weakref.ref(kept), getattr(forget.__code__, "co_qualname", "forget")


AT_EXIT, FORGET = forget_at_exit()


@functools.lru_cache(maxsize=None)
def cached(one):
    return None


def generate():
    held = []
    while True:
        held.append((yield))


GENERATOR = generate()
next(GENERATOR)


@types.coroutine
def pause():
    return (yield)


async def wait():
    held = []
    while True:
        held.append(await pause())


COROUTINE = wait()
COROUTINE.send(None)
PARTIAL = functools.partial(len, [])
in_frame = []


def work(ready):
    rows = []
    in_frame.append(rows.append)
    del in_frame[:-1]
    ready.set()
    threading.Event().wait()


ready = threading.Event()
threading.Thread(target=work, args=(ready,), name="worker", daemon=True).start()
ready.wait()


def add(n):
    one = lambda place: globals()["In_" + place]()
    GLOBAL_DICT["key-%d" % n] = one("global_dict")
    BIG_DICT["session-%d" % n] = one("big_dict")
    GLOBAL_LIST.append(one("global_list"))
    Registry.entries.append(one("class_list"))
    keep_in_closure(one("closure"))
    keep_in_default(one("default"))
    LISTENERS.append(Listener(one("bound_method")).on_event)
    GENERATOR.send(one("generator"))
    COROUTINE.send(one("coroutine"))
    in_frame[0](one("frame"))
    DEQUE.append(one("deque"))
    SET.add(one("set"))
    SLOTTED.held.append(one("slots"))
    NESTED["rooms"]["lobby"]["seats"].append(one("nested"))
    cached(one("lru"))
    SERVICE.inner.held["rows"].append(one("attribute"))
    TUPLE_KEYS[n, one("tuple_key")] = None
    PARTIAL.args[0].append(one("partial"))
    ORDERED[n] = one("ordered")
    DEFAULT_DICT["all"].append(one("default_dict"))
    DICT_SUB["key-%d" % n] = one("dict_sub")
    HEAD[0] = (HEAD[0], one("chain"))
    NESTED[7]["seats"].append(one("number_key"))
    AT_EXIT().append(one("at_exit"))


def grow(first, n):
    for number in range(first, first + n):
        add(number)
    gc.collect()
    return n


def holders():
    """What some places are called."""
    generator, coroutine = GENERATOR.gi_frame.f_lineno, COROUTINE.cr_frame.f_lineno
    return {
        "default": "default argument 'kept' of __main__.keep_in_default()",
        "closure": "cell 'kept' of __main__.keep_in_closure()",
        "generator": "generator generate() at line %d: local held" % generator,
        "coroutine": "coroutine wait() at line %d: local held" % coroutine,
        "at_exit": "cell 'kept' of atexit callback __main__.%s()" % FORGET,
    }


def at(path):
    """The identity of what a path leads to, or why it leads nowhere."""
    try:
        return id(eval(path, globals()))
    except Exception as error:
        return repr(error)


serve()
