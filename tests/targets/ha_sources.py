"""Home Assistant's own way to tell the sources of new objects, beside objects of three types.

`sources(n)` is what its service logs at one look, with at most `n` objects. In it `objgraph` is the
package that it uses.
"""
import types

objgraph = None


class Kept:
    def __repr__(self):
        return "<Kept>"


class Also:
    __slots__ = ("number",)


class Shrinking:
    pass


kept = []
also = {}
shrinking = [Shrinking() for _ in range(10)]


def load_objgraph(source):
    global objgraph
    objgraph = types.ModuleType("objgraph")
    exec(compile(source, "objgraph.py", "exec"), objgraph.__dict__)


def step(n):
    """`n` more of one type, half as many of another, one fewer of a third."""
    kept.extend(Kept() for _ in range(n))
    for _ in range(n // 2):
        also[len(also)] = Also()
    shrinking.pop()
    gc.collect()
    return len(kept)


def is_ours(name):
    return name in ("Kept", "Also", "Shrinking")


last_ids = set()
last_stats = {}


def sources(max_objects):
    """Counts of what is reported and of what overflows, of the types above."""
    global last_ids, last_stats
    gc.collect()
    objects = [one for one in gc.get_objects() if is_ours(type(one).__name__)]
    stats = objgraph.typestats(objects)
    reported, overflow = [], {}
    for one in objects:
        name = type(one).__name__
        if id(one) in last_ids or stats[name] <= last_stats.get(name, 0):
            continue
        if len(reported) < max_objects:
            reported.append([name, last_stats.get(name, 0), stats[name]])
        else:
            overflow[name] = overflow.get(name, 0) + 1
    last_ids = set(map(id, objects))
    for name in stats:
        last_stats[name] = max(last_stats.get(name, 0), stats[name])
    return [reported, overflow]


serve()
