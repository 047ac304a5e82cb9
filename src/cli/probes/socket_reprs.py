"""The `repr` of an object whose type is called `socket`, as objgraph finds it by that name."""


def describe(thing):
    kind = type(thing)
    if type.__dict__["__name__"].__get__(kind) != "socket":
        return
    try:
        yield short(repr(thing), 5000)
    except Exception:
        yield "Failed to serialize %s" % short(type.__repr__(kind), 300)
