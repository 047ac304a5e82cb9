# Caches: what they are of, what they hold, how often they were of use.
# Reads fields rather than calling `cache_info()` of Python code: its lock may be held in the copy for
# ever. `HA_LINES = True` behind this source adds what Home Assistant's profiler logs.
HA_LINES = False
MANAGERS = ("EventDataManager", "EventTypeManager", "StatesMetaManager", "StateAttributesManager",
            "StatisticsMetaManager")
VALUES = {id(kind) for kind in (int, str, bytes, float, complex, bool, tuple, frozenset, type(None),
                                 object)}
FUNCTION = type(lambda: None)
MAX_KEYS = 500
MAX_TEXT = 7000


def attribute(obj, name):
    """`obj.name`, or None, whatever the class makes of it."""
    try:
        return getattr(obj, name, None)
    except Exception:
        return None


def fields_of(obj):
    fields = attribute(obj, "__dict__")
    return fields if type(fields) is dict else {}


def number(value):
    """A count, or None for what is none."""
    return int(value) if type(value) in (int, float) and 0 <= value < 1 << 62 else None


def string(value, most=500):
    return short(value, most) if type(value) is str else None


def name_of(kind):
    """`module.qualname` of a type."""
    return "%s.%s" % (string(attribute(kind, "__module__")), string(attribute(kind, "__qualname__")))


def said(value):
    """As `%s` has it in a line of a log."""
    try:
        return short(str(value), MAX_TEXT)
    except Exception:
        return "Failed to serialize %r" % type(value)


def code_of(function):
    """The code of a Python function under decorators, methods and partials."""
    for _ in range(8):
        inner = attribute(function, "__wrapped__")
        if type(function) is not FUNCTION or inner is None:
            code = attribute(function, "__code__")
            if type(attribute(code, "co_filename")) is str:
                return code
            if inner is None:
                inner = attribute(function, "__func__") or attribute(function, "func")
        if inner is None:
            return None
        function = inner
    return None


def about(function):
    """What a function is called, where it stands, and what it takes."""
    row = {}
    name = string(attribute(function, "__qualname__")) or string(attribute(function, "__name__"))
    if name:
        place = string(attribute(function, "__module__"))
        row["function"] = place + "." + name if place else name
    elif function is not None:
        row["function"] = name_of(type(function)) + " object"
    code = code_of(function)
    if code is not None:
        n = code.co_argcount
        row["file"] = short(code.co_filename, 4000)
        row["line"] = code.co_firstlineno
        # Flags: *args and **kwargs.
        row["takes_arguments"] = bool(n or code.co_kwonlyargcount or code.co_flags & 12)
        row["first_parameter"] = string(code.co_varnames[0]) if n else None
    return row


def is_method(kind, wrapper):
    """Whether the wrapper stands in the class, as its methods do."""
    for base in type.__dict__["__mro__"].__get__(kind):
        if any(value is wrapper for value in list(base.__dict__.values())):
            return True
    return False


def first_arguments(wrapper, cache):
    """What the keys of a cache have first, where that is no plain value."""
    kinds, objects, n_keys = {}, {}, 0
    for key in dict.__iter__(cache):
        n_keys += 1
        if n_keys > MAX_KEYS:
            break
        # A tuple of arguments, or the list that the Python version makes of it.
        if not issubclass(type(key), (tuple, list)) or not len(key):
            continue
        first = key[0]
        kind = type(first)
        if id(kind) not in VALUES and not issubclass(kind, type):
            kinds[id(kind)] = kind
            objects.setdefault(id(kind), set()).add(id(first))
    if not kinds:
        return {}
    most = max(objects, key=lambda kind: len(objects[kind]))
    kind = kinds[most]
    return {"first_argument": name_of(kind), "n_first_arguments": len(objects[most]),
            "is_method": is_method(kind, wrapper)}


def absolute_file(function):
    """As `inspect.getabsfile` has it; None where that raises."""
    path = module("os").path
    function = attribute(function, "__func__") or function
    file = attribute(attribute(function, "__code__"), "co_filename")
    if issubclass(type(function), type):
        file = attribute(module(attribute(function, "__module__")), "__file__")
    return path.normcase(path.abspath(file)) if type(file) is str else None


def lru_cache(wrapper):
    info = module("functools")._lru_cache_wrapper.cache_info(wrapper)
    function = attribute(wrapper, "__wrapped__")
    row = {"kind": "lru_cache", "hits": number(info[0]), "misses": number(info[1]),
           "max_size": number(info[2]), "size": number(info[3]), "has_limit": info[2] is not None}
    row.update(about(function))
    yield row
    if HA_LINES:
        yield {"kind": "ha", "group": 0, "text": "Cache stats for lru_cache %s at %s: %s" % (
            said(function), absolute_file(function) or "unknown", info)}
    fields = attribute(wrapper, "__dict__")
    for inner in module("gc").get_referents(wrapper):
        if type(inner) is dict and inner is not fields:
            yield dict(first_arguments(wrapper, inner), kind="keys")
            break


def cachetools_cache(cache):
    row = {"kind": "cachetools"}
    for key, name in (("max_size", "_Cache__maxsize"), ("weight", "_Cache__currsize")):
        try:
            row[key] = number(object.__getattribute__(cache, name))
        except Exception:
            pass
    if "max_size" in row:
        row["has_limit"] = row["max_size"] is not None
    data = fields_of(cache).get("_Cache__data")
    row["size"] = dict.__len__(data) if issubclass(type(data), dict) else None
    yield row


def decorator_of(cache):
    """A decorator's cache; with what is to be known of it where it is a `dict`, as in `@cached({})`."""
    row = {"kind": "decorator", "cache": id(cache)}
    kind = type(cache)
    if issubclass(kind, dict) and kind.__name__ != "LRUCache":
        row["cache_type"] = name_of(kind) if kind.__module__ != "builtins" else kind.__qualname__
        row["size"] = dict.__len__(cache)
        # A class of somebody's own may drop entries.
        row["has_limit"] = False if kind is dict else None
    return row


def cachetools_wrapper(wrapper):
    """What decorates in later versions: an object of a class."""
    fields = fields_of(wrapper)
    row = decorator_of(fields["cache"] if "cache" in fields else attribute(wrapper, "cache"))
    for name, value in list(fields.items()):
        for key in ("hits", "misses"):
            if name.endswith("Mixin__" + key):
                row[key] = number(value)
    row.update(about(fields.get("__wrapped__")))
    yield row


def decorated(function):
    """What decorates in earlier versions, and without `_functools`: a function with a closure."""
    fields, cells = function.__dict__, {}
    if "cache_info" not in fields and not ("cache" in fields and "cache_key" in fields):
        return
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            cells[name] = cell.cell_contents
        except ValueError:
            pass
    cache = fields.get("cache", cells.get("cache"))
    row = dict(decorator_of(cache), hits=number(cells.get("hits")), misses=number(cells.get("misses")))
    row.update(about(fields.get("__wrapped__") or function))
    if "user_function" in cells and "cache_get" in cells and type(cache) is dict:
        row.update(kind="lru_cache_python", size=len(cache),
                   max_size=number(cells.get("maxsize")), has_limit="maxsize" in cells)
        row.update(first_arguments(function, cache))
    yield row


def sqlalchemy_cache(cache):
    data = attribute(cache, "_data")
    if not issubclass(type(data), dict):
        return
    yield {"kind": "sqlalchemy", "max_size": number(attribute(cache, "capacity")),
           "has_limit": True, "size": dict.__len__(data), "uses": number(attribute(cache, "_counter"))}
    if HA_LINES:
        for key, value in list(dict.items(data)):
            yield {"kind": "ha", "group": 6, "text": "Cache data for sqlalchemy LRUCache %s: %s: %s" % (
                said(cache), said(key), said(value))}


def sqlalchemy_owner(owner):
    """An engine or a mapper: what its compiled cache is called."""
    cache = fields_of(owner).get("_compiled_cache")
    what = attribute(attribute(owner, "dialect"), "name")
    if what is None:
        what = attribute(attribute(owner, "class_"), "__name__")
    if cache is not None:
        yield {"kind": "name", "cache": id(cache), "name": "compiled cache of %s %s" % (
            type(owner).__name__.lower(), string(what) or "?")}


def async_lru_cache(wrapper):
    cache, hits, misses, most = [
        attribute(wrapper, "_LRUCacheWrapper__" + name) for name in ("cache", "hits", "misses", "maxsize")]
    if not issubclass(type(cache), dict):
        return
    row = {"kind": "async_lru", "hits": number(hits), "size": dict.__len__(cache),
           "misses": number(misses), "max_size": number(most), "has_limit": most is not None}
    row.update(about(attribute(wrapper, "__wrapped__")))
    yield row
    yield dict(first_arguments(wrapper, cache), kind="keys")


def manager(obj):
    """One of Home Assistant's classes that hold a cache of lru-dict."""
    lru = attribute(module("lru"), "LRU")
    for value in list(fields_of(obj).values()):
        if HA_LINES and lru is not None and issubclass(type(value), lru):
            yield {"kind": "ha", "group": 1 + MANAGERS.index(type(obj).__name__),
                   "text": "Cache stats for LRU %s at unknown: %s" % (type(obj), lru.get_stats(value))}


def lru_dict(cache):
    lru = attribute(module("lru"), "LRU") or type(cache)
    hits, misses = lru.get_stats(cache)
    yield {"kind": "lru_dict", "hits": number(hits), "misses": number(misses),
           "size": lru.__len__(cache), "max_size": number(lru.get_size(cache)), "has_limit": True}


BASES = {"functools._lru_cache_wrapper": lru_cache, "cachetools.Cache": cachetools_cache,
         "cachetools._cached._WrapperBase": cachetools_wrapper,
         "cachetools._cachedmethod._WrapperBase": cachetools_wrapper,
         "async_lru._LRUCacheWrapper": async_lru_cache, "_lru.LRU": lru_dict, "lru.LRU": lru_dict,
         "sqlalchemy.engine.base.Engine": sqlalchemy_owner,
         "sqlalchemy.orm.mapper.Mapper": sqlalchemy_owner}


def describe(obj):
    if obj is None:
        return None
    kind = type(obj)
    if kind is FUNCTION:
        return decorated(obj)
    for base in type.__dict__["__mro__"].__get__(kind):
        if name_of(base) in BASES:
            return BASES[name_of(base)](obj)
    if kind.__name__ == "LRUCache":
        return sqlalchemy_cache(obj)
    return manager(obj) if kind.__name__ in MANAGERS else None
