"""One of each kind of object that the collector tracks, and the interpreter's own count of them.

`look()` counts, waits in a read while leakhunt looks, counts again and says both counts. All that
it makes for itself is gone while it waits. `freeze` in argv freezes a part of the zoo.
"""
import array
import collections
import contextvars
import datetime
import decimal
import enum
import functools
import io
import itertools
import operator
import queue
import re
import socket
import struct
import tempfile
import types
import weakref

try:
    import ctypes
except ImportError:
    ctypes = None

gc.disable()


class Plain:
    def __init__(self, n):
        self.n = n
        self.text = str(n)


class Bare:
    pass


class Slots:
    __slots__ = ("one", "two")


class SlotsAndDict(Slots):
    pass


class Outer:
    class Inner:
        class Innermost:
            pass


class MyDict(dict):
    pass


class MyList(list):
    pass


class MySlotList(list):
    __slots__ = ("extra",)


class MySet(set):
    pass


class MyDeque(collections.deque):
    pass


class MyOrderedDict(collections.OrderedDict):
    pass


class MyTuple(tuple):
    pass


class MyInt(int):
    pass


class MyStr(str):
    pass


class MyBytes(bytes):
    pass


class MyFloat(float):
    pass


class Meta(type):
    pass


class Odd(metaclass=Meta):
    pass


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


Point = collections.namedtuple("Point", "x y")


def generate(n):
    yield n
    yield from generate(n)


async def coroutine():
    pass


async def generate_async():
    yield 1


def failing(depth):
    if depth:
        return failing(depth - 1)
    local = [depth]
    raise ValueError(local)


def caught():
    try:
        failing(5)
    except ValueError as error:
        return error


def started(generator):
    next(generator)
    return generator


@functools.lru_cache(maxsize=50)
def cached(n):
    return [n]


def with_attributes(n):
    plain = Plain(n)
    for index in range(n % 40):
        setattr(plain, "attribute_%d" % index, [index])
    return plain


def closure(n):
    def inner(x, y=[n], *, z=(n, [])):
        return n

    return inner


for n in range(70):
    cached(n)
shared = collections.OrderedDict((n, [n]) for n in range(100))
zoo = [
    [Plain(n) for n in range(301)],
    [with_attributes(n) for n in range(120)],
    [vars(plain) for plain in [Plain(n) for n in range(31)]],
    [Bare() for _ in range(57)],
    [Slots() for _ in range(41)],
    [SlotsAndDict() for _ in range(43)],
    [Outer.Inner() for _ in range(13)] + [Outer.Inner.Innermost() for _ in range(7)],
    [MyDict({i: [i] for i in range(n)}) for n in range(29)],
    [MyList(range(n)) for n in range(31)] + [MySlotList(range(n)) for n in range(5)],
    [MySet(range(n)) for n in range(37)],
    [MyDeque(range(n * 10)) for n in range(11)],
    [MyOrderedDict((i, i) for i in range(n)) for n in range(17)],
    [MyTuple(range(n)) for n in range(19)],
    [kind(n) for kind in (MyInt, MyFloat, MyStr) for n in (0, 1, 2**31, 12345678)],
    [MyInt(-(2**n)) for n in range(200)] + [MyBytes(b"x" * n) for n in range(23)],
    [MyStr("x" * n) for n in range(9)] + [MyStr("\u1234" * n) for n in range(9)],
    [[[]] * n for n in range(50)],
    [[item for item in range(n)] for n in range(50)],
    [{i: [i] for i in range(n)} for n in range(80)] + [dict.fromkeys("abc", []) for _ in range(5)],
    [{str(i): [i] for i in range(n)} for n in range(60)],
    [set(range(n)) for n in range(60)] + [frozenset(range(n)) for n in range(60)],
    [tuple([[]] * n) for n in range(20)],
    [collections.deque(range(n * 7), maxlen=n) for n in range(30)],
    [collections.OrderedDict((i, [i]) for i in range(n)) for n in range(30)],
    [collections.defaultdict(list, {i: [i] for i in range(n)}) for n in range(30)],
    [collections.Counter("x" * n) for n in range(5)] + [collections.ChainMap({}, {1: []})],
    [Point(n, [n]) for n in range(15)] + [types.SimpleNamespace(a=n, b=[n]) for n in range(15)],
    [generate(n) for n in range(17)] + [started(generate(n)) for n in range(19)],
    [(n for n in range(3)) for _ in range(7)],
    [generate_async() for _ in range(9)],
    [caught() for _ in range(11)] + [Exception(n, [n]) for n in range(11)],
    [OSError(2, "no", "file"), UnicodeDecodeError("utf-8", b"x", 0, 1, "why"), StopIteration([])],
    [closure(n) for n in range(23)] + [lambda: shared for _ in range(5)],
    [Plain(1).__init__ for _ in range(13)] + [[].append for _ in range(13)],
    [functools.partial(failing, [n], key=n) for n in range(14)],
    [operator.itemgetter(1, 2), operator.attrgetter("a"), operator.methodcaller("m", 1)],
    [weakref.ref(zoo_part) for zoo_part in [Plain(1), Bare()]] + [weakref.WeakSet()],
    [weakref.WeakValueDictionary(), weakref.WeakKeyDictionary()],
    [itertools.count([1] and 1), itertools.cycle([1]), itertools.repeat([1])],
    [itertools.chain([1], [2]), itertools.islice([1], 1), itertools.product([1], [2])],
    [itertools.permutations([1, 2]), itertools.combinations([1, 2], 1), itertools.groupby([1])],
    [itertools.tee([1]), itertools.zip_longest([1], [2]), itertools.accumulate([1])],
    [map(str, [1]), filter(None, [1]), zip([1], [2]), enumerate([1]), reversed([1])],
    [iter([1]), iter((1, [])), iter({1: 2}), iter({1}), iter(shared), iter(int, 1)],
    [shared.keys(), shared.values(), shared.items(), {}.keys(), {}.values(), {}.items()],
    [io.StringIO("text"), io.BytesIO(b"bytes" * 100), io.TextIOWrapper(io.BytesIO())],
    [io.BufferedReader(io.BytesIO()), io.BufferedWriter(io.BytesIO()), tempfile.TemporaryFile()],
    [property(len), staticmethod(len), classmethod(len), super(Slots, SlotsAndDict())],
    [slice([1], [2]), memoryview(bytearray(10)), types.MappingProxyType({1: []})],
    [contextvars.copy_context(), contextvars.ContextVar("v"), re.compile("zoo")],
    [array.array("i", range(100)), bytearray(100), struct.Struct("ii")],
    [datetime.datetime.now(), decimal.Decimal("1.5"), queue.Queue(), threading.Lock()],
    [ctypes.c_int(1), (ctypes.c_int * 10)(), ctypes.pointer(ctypes.c_int())] if ctypes else [],
    [socket.socket() for _ in range(2)] + [types.ModuleType("module")],
    [type("Made", (), {"n": n}) for n in range(3)] + [Odd(), Colour.RED],
    [sys._getframe()] if sys.version_info < (3, 11) else [],
]
never_awaited = coroutine()
kept_cycles = []
for n in range(21):
    kept = Plain(n)
    kept.self = kept
    kept_cycles.append(kept)


class Lost:
    pass


def lose(n):
    """Leaves `n` cycles that nothing reaches."""
    for _ in range(n):
        lost = Lost()
        lost.others = [lost, {"back": lost}]


def key(kind):
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return "%s.%s" % (kind.__module__, kind.__qualname__)


def count():
    """JSON text of `{type: [count, bytes]}`: a string, which the collector does not track.

    Nothing of its own is in the count: no closure, whose cells would be.
    """
    tally = {}
    objects = gc.get_objects()
    own = (id(tally), id(sys._getframe()))
    row = kind = name = one = None
    for one in objects:
        if id(one) in own:
            continue
        kind = type(one)
        name = key(kind)
        row = tally.get(name, (0, 0))
        tally[name] = (row[0] + 1, row[1] + sys.getsizeof(one))
    del objects, kind, one
    return json.dumps(tally)


def closure(path):
    """Writes all objects that `gc.get_referents` leads to, and what each refers to.

    Numbers of eight bytes: identity, type, `sys.getsizeof`, whether the collector knows it, number of
    referents, referents. All of its own is made after the list of objects, so it is not in there.
    """
    objects = gc.get_objects()
    n_tracked = len(objects)
    seen = set(map(id, objects))
    out = bytearray()
    n = 0
    for one in objects:
        # The table of interned texts is no referrer of theirs: a text leaves it when it ends.
        is_table = type(one) is dict and len(one) > 500 and all(map(operator.is_, one, one.values()))
        referents = [] if is_table else gc.get_referents(one)
        for number in (id(one), id(type(one)), sys.getsizeof(one), n < n_tracked, len(referents)):
            out += number.to_bytes(8, "little")
        for other in referents:
            out += id(other).to_bytes(8, "little")
            if id(other) not in seen:
                seen.add(id(other))
                objects.append(other)
        n += 1
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    view = memoryview(out)
    while view:
        view = view[os.write(file, view) :]
    os.close(file)


def wait_after(before, after):
    """Calls `before()`, waits in a read without anything of its own, and gives what `after()` does.

    Twice: what the first call makes for good, as the names of a type that was never asked, is then there.
    """
    before()
    before()
    os.write(1, MARK + b'{"looking": true}\n')
    os.read(0, 1)
    return after()


def untrue(path):
    """Of lines with an address, a type's address and a size or -1: those that are not so.

    Ends this process where there is no object at all.
    """
    found = []
    with open(path) as lines:
        for line in lines:
            address, kind, size = map(int, line.split())
            one = ctypes.cast(address, ctypes.py_object).value
            if id(type(one)) != kind or size not in (-1, sys.getsizeof(one)):
                found.append("%s %s, no %s" % (line.strip(), sys.getsizeof(one), type(one)))
    return found


def look():
    before = count()
    before = count()
    os.write(1, MARK + b'{"looking": %d}\n' % gc.get_freeze_count())
    os.read(0, 1)
    frozen = gc.get_freeze_count()
    after = count()
    gc.unfreeze()
    everything = count()
    os.write(
        1,
        MARK
        + b'{"before": %s, "after": %s, "everything": %s, "frozen": %d}\n'
        % (before.encode(), after.encode(), everything.encode(), frozen),
    )


def collect():
    """What the collector finds: how many, and of which types."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    n_found = gc.collect()
    counts = collections.Counter(key(type(one)) for one in gc.garbage)
    gc.set_debug(0)
    gc.garbage.clear()
    return {"found": n_found, "types": counts}


if "freeze" in sys.argv:
    gc.collect()
    gc.freeze()
    zoo.append([Plain(n) for n in range(30)])
lose(int(sys.argv[1]))
say({"ready": os.getpid()})
while True:
    request = read_line()
    if "look" in request:
        look()
    else:
        answer(request)
