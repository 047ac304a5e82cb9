"""Caches of all makers, of use and of none, and some that do not want to be looked at."""
import functools


class Cart:
    @functools.lru_cache(maxsize=None)
    def total(self, tax):
        return [tax] * 10


@functools.lru_cache(maxsize=16)
def thrashed(number):
    return number


@functools.lru_cache(maxsize=64)
def useful(number):
    return number


@functools.lru_cache(maxsize=None)
def constant():
    return 1


carts = [Cart() for _ in range(120)]
for cart in carts:
    cart.total(20)
for number in range(400):
    thrashed(number)
    useful(number % 8)
constant()


class Raising:
    """A function in name only: it raises whatever it is asked for."""

    def __call__(self, number):
        return number

    def __getattribute__(self, name):
        raise ValueError(name)

    def __repr__(self):
        raise ValueError("no repr here")


class Hanging:
    def __call__(self, number):
        return number

    def __getattr__(self, name):
        while True:
            pass


def cache_of(function):
    cache = functools._lru_cache_wrapper(function, 8, False, functools._CacheInfo)
    cache.__dict__["__wrapped__"] = function
    cache(1)
    return cache


hostile = []


def infos():
    """As each `functools.lru_cache` tells of itself."""
    caches = [one for one in gc.get_objects() if type(one) is functools._lru_cache_wrapper]
    return {str(id(cache)): list(cache.cache_info()) for cache in caches}


def ha_lines():
    """As Home Assistant's profiler logs them."""
    import inspect

    caches = [one for one in gc.get_objects() if type(one) is functools._lru_cache_wrapper]
    lines = []
    for cache in caches:
        try:
            file = inspect.getabsfile(cache.__wrapped__)
        except Exception:
            file = "unknown"
        info = cache.cache_info()
        lines.append("Cache stats for lru_cache %s at %s: %s" % (cache.__wrapped__, file, info))
    return lines


def load_packages():
    """Caches of lru-dict, cachetools, SQLAlchemy and async-lru."""
    global lru, cachetools, manager, deep, own, decorated, shop, limited, engine, fetch
    global memo
    import asyncio

    import async_lru
    import cachetools
    import lru
    import sqlalchemy

    class EventDataManager:
        def __init__(self):
            self.recent = lru.LRU(7)
            self.recent[1] = 2
            self.recent[1], self.recent.get(5)

    class Shop:
        def __init__(self):
            self.prices = cachetools.TTLCache(9, 60)

        @cachetools.cachedmethod(lambda self: self.prices)
        def price(self, name):
            return name

    class Limited(cachetools.Cache):
        def __len__(self):
            raise ValueError("no length here")

    @cachetools.cached(cachetools.LRUCache(4), info=True)
    def decorated(number):
        return number

    @cachetools.cached(cache={})
    def memo(number):
        return number

    @async_lru.alru_cache(maxsize=5)
    async def fetch(number):
        return number

    manager = EventDataManager()
    deep = {"only": (lru.LRU(8),)}
    deep["only"][0]["held"] = [None] * 5000
    own = cachetools.LFUCache(3)
    own["a"] = 1
    for number in (1, 1, 2):
        decorated(number)
        memo(number)
    shop = Shop()
    shop.price("tea")
    limited = Limited(5)
    cachetools.Cache.__setitem__(limited, 1, 2)

    async def fetch_all():
        for number in (1, 2, 1):
            await fetch(number)

    asyncio.run(fetch_all())
    engine = sqlalchemy.create_engine("sqlite://")
    for _ in range(2):
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))


serve()
