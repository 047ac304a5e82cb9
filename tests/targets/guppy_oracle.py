"""Objects of known kinds, and what guppy in the same process makes of them.

`look(FOLDER)` writes `clodo.hpy` and `rcs.hpy` there and then waits in a read while leakhunt looks:
the rows whose kind is of `__main__` must be the same. guppy goes first, since looking makes the
`__dict__` of each instance (Python 3.11 on) and so changes what there is to see; after `look` they are
there. `look_lazily(FOLDER)` makes new instances after it, for leakhunt to see what guppy would make.
`mark()`, `leak(N)` and `look(FOLDER)` show only what came in between.
"""
import collections
import functools
import gc
import os
import weakref

from guppy import hpy

hp = hpy()


class Foo:
    def __init__(self, number):
        self.number = number
        self.payload = [number]


class Empty:
    pass


class Wide:
    """More attributes than instances keep in themselves."""

    def __init__(self):
        for n in range(40):
            setattr(self, "a%d" % n, Empty())


class Slotted:
    __slots__ = ("first", "second", "__weakref__")


class Mixed(Slotted):
    def __init__(self):
        self.first = Empty()
        self.other = Foo(0)


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    def __init__(self):
        self.held = Foo(1)


class DictSub(dict):
    pass


class ListSub(list):
    pass


class Outer:
    class Inner:
        pass


class Failure(Exception):
    pass


class Node:
    def __init__(self):
        self.own = self
        self.inner = Outer.Inner()
        self.inner.up = self


def noted():
    pass


def closure():
    captured = Empty()
    return lambda: captured


def generator():
    local = Slotted()
    yield local


noted.note = Empty()
foos = [Foo(n) for n in range(50)]
foos[3].late = Empty()
foos[5].__dict__["direct"] = Empty()
del foos[6].number
shared = {"shared": Empty()}
foos[7].__dict__ = foos[8].__dict__ = shared
wides = [Wide() for _ in range(3)]
slotted = [Slotted() for _ in range(7)]
slotted[0].first = Foo(2)
mixed = [Mixed() for _ in range(4)]
metas = [WithMeta() for _ in range(3)]
subs = [DictSub(key=Empty()) for _ in range(6)]
subs[0].attribute = Foo(3)
lists = [ListSub([Empty()]) for _ in range(2)]
failures = [Failure(Empty()) for _ in range(3)]
failures[0].note = Foo(4)
nodes = [Node() for _ in range(5)]
sames = [cls() for cls in (type("Same", (), {}), type("Same", (), {})) for _ in range(2)]
spaced = type("With Space", (), {})()
accented = type("Ünïcode", (), {})()
nameless = type("NoModule", (), {"__module__": ""})()
keyed = {Empty(): Foo(5), "text": Slotted()}
nested = {"a": {"b": (Empty(), {"c": [Foo(6)]})}}
ordered = collections.OrderedDict(key=Empty())
defaults = collections.defaultdict(list, key=[Empty()])
queue = collections.deque([Empty(), Foo(7)])
partial = functools.partial(noted, Empty())
captured = closure()
suspended = generator()
next(suspended)
weak = [weakref.ref(foo) for foo in foos[:2]]
bound = foos[0].__init__
leaked = []


def look(folder):
    gc.collect()
    heap = hp.heap()
    for relation in ("clodo", "rcs"):
        path = os.path.join(folder, relation + ".hpy")
        if os.path.exists(path):
            os.unlink(path)
        getattr(heap, "by" + relation).stat.dump(path)
    del heap
    gc.collect()
    return sorted(os.listdir(folder))


def look_lazily(folder):
    """guppy looks at as many instances of a class as leakhunt will, but not at the same ones."""
    look(folder)
    foos[10:30] = [Foo(n) for n in range(10, 30)]
    gc.collect()
    return sorted(os.listdir(folder))


def mark():
    hp.setref()


def leak(count):
    leaked.extend(Foo(n) for n in range(count))


serve()
