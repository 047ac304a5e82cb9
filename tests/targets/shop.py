"""Types to grow and to dump: `Template` of `__main__`, and another one in `shop.cache`."""
import types

objgraph = None
templates = []
sessions = []
calls = []


class Template:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return "<Template %r>" % self.name


class Session:
    __slots__ = ("key",)


shop = types.ModuleType("shop")
shop.cache = types.ModuleType("shop.cache")
exec("class Template:\n    def __repr__(self): return '<the other Template>'", shop.cache.__dict__)
sys.modules["shop"], sys.modules["shop.cache"] = shop, shop.cache


def load_objgraph(source):
    global objgraph
    objgraph = types.ModuleType("objgraph")
    sys.modules["objgraph"] = objgraph
    exec(compile(source, "objgraph.py", "exec"), objgraph.__dict__)


def step(change):
    """Makes as many more templates, or fewer when below 0, and half as many sessions."""
    for kept, make in ((templates, lambda: Template(len(templates))), (sessions, Session)):
        n_change = change if kept is templates else int(change / 2)
        for _ in range(n_change):
            kept.append(make())
        if n_change < 0:
            del kept[n_change:]
    gc.collect()
    return len(templates)


def is_ours(o):
    return type(o) in (Template, Session)


def growth(peaks={}):
    return [list(row) for row in objgraph.growth(None, peak_stats=peaks, filter=is_ours)]


def shown_growth(peaks={}):
    import io

    shown = io.StringIO()
    objgraph.show_growth(limit=None, peak_stats=peaks, file=shown, filter=is_ours)
    return shown.getvalue()


serve()
