"""One of each kind of object that should be gone, kept in a list, and its twin that should not.

`CASES` has of each: where it is, the verdict that is expected, and why. `STATES` has what objects are in
the midst of.
"""
import asyncio
import collections
import concurrent.futures
import functools
import gc
import inspect
import multiprocessing.connection
import socket
import sys
import threading
import types

gc.disable()
KEPT = []
CASES = {}
STATES = {}
LEAKING, NOT_LEAKING, UNKNOWN = "leaking", "not leaking", "unknown"


def case(name, verdict, reason, thing):
    assert name not in CASES
    KEPT.append(thing)
    CASES[name] = [id(thing), verdict, reason]
    return thing


def state(thing, word, number=None):
    KEPT.append(thing)
    STATES[id(thing)] = [word, number]
    return thing


def suspended(thing):
    """One that waits, in a line that its frame tells."""
    frames = [getattr(thing, name, None) for name in ("gi_frame", "cr_frame", "ag_frame")]
    [frame] = [frame for frame in frames if frame is not None]
    return state(thing, "suspended", frame.f_lineno)


def wait_in_thread(function):
    """Runs a function in a thread until it waits; answers the thread."""
    ready = threading.Event()
    thread = threading.Thread(target=function, args=(ready,), daemon=True)
    thread.start()
    ready.wait()
    return thread


def rest():
    threading.Event().wait()


# Generators and coroutines


def count():
    yield 1
    yield 2


def rest_within(ready):
    ready.set()
    rest()
    yield


FAR = """
def far(first,
        second=1):
    def within():
        pass
{gap}    for number in range(3):
        yield (number
               if number != 1 else
{gap}               -1)
{gap}        if number == 1:
            yield
"""


def in_far_lines():
    """Lines are told by steps: small and large ones, forward and back."""
    for n_lines in (1, 10, 100, 200, 3000):
        module = {}
        exec(FAR.format(gap="\n" * n_lines), module)
        for n_steps in range(1, 5):
            generator = module["far"](1)
            for _ in range(n_steps):
                next(generator)
            suspended(generator)


def with_defaults():
    def positional(first, second=1, *rest, third, fourth=4):
        pass

    def by_name_alone(first, *, second=2):
        pass

    state(positional, "defaults", 2)
    state(lambda first=1: first, "defaults", 1)
    state(by_name_alone, None)


async def at_once():
    return 1


async def forever():
    await asyncio.Event().wait()


async def count_slowly():
    yield 1
    yield 2


def finish(coroutine):
    try:
        coroutine.send(None)
    except (StopIteration, StopAsyncIteration):
        pass
    return coroutine


def generators():
    exhausted = count()
    list(exhausted)
    closed = count()
    next(closed)
    closed.close()
    waits = count()
    next(waits)
    ended = "exhausted or closed generator"
    case("exhausted generator", LEAKING, ended, state(exhausted, "finished"))
    case("closed generator", LEAKING, ended, state(closed, "finished"))
    case("suspended generator", UNKNOWN, "", suspended(waits))
    case("generator that was not started", UNKNOWN, "", state(count(), "created"))
    running = []

    def run(ready):
        generator = rest_within(ready)
        running.append(generator)
        next(generator)

    wait_in_thread(run)
    case("running generator", NOT_LEAKING, "it runs", state(running[0], "running"))

    def delegate():
        yield from count()

    outer = delegate()
    next(outer)
    case("generator that waits for another", UNKNOWN, "", suspended(outer))

    slow = count_slowly()
    finish(slow.__anext__())
    finish(slow.aclose())
    ended = "exhausted or closed asynchronous generator"
    case("closed asynchronous generator", LEAKING, ended, state(slow, "finished"))
    slow = count_slowly()
    finish(slow.__anext__())
    case("suspended asynchronous generator", UNKNOWN, "", suspended(slow))

    case("finished coroutine", LEAKING, "finished coroutine", state(finish(at_once()), "finished"))
    never = "coroutine that was never awaited"
    case("coroutine that nobody awaits", LEAKING, never, state(at_once(), "created"))
    for thing in KEPT:
        if inspect.isgenerator(thing):
            word = inspect.getgeneratorstate(thing)[4:].lower()
            word = {"closed": "finished"}.get(word, word)
            assert STATES[id(thing)][0] == word, (thing, word)


def in_hand():
    """What somebody has in a variable may be in use."""
    kept = []

    def hold(ready):
        ended = count()
        list(ended)
        coroutine = at_once()
        several = [at_once()]
        file = open("/dev/null")
        file.close()
        kept.extend([ended, coroutine, several[0], file, file.buffer, file.buffer.raw])
        try:
            raise KeyError
        except KeyError as error:
            handled = error
            kept.append(handled)
            ready.set()
            rest()

    wait_in_thread(hold)
    for index, thing in enumerate(kept):
        case("in hand: %d %s" % (index, type(thing).__name__), UNKNOWN, "", thing)


# Tasks and futures


def tasks():
    loop = asyncio.new_event_loop()
    made = {}

    async def work():
        made["finished"] = loop.create_task(at_once())
        made["cancelled"] = loop.create_task(forever())
        made["pending"] = loop.create_task(forever())
        made["failed"] = loop.create_task(fail())
        made["in python"] = asyncio.tasks._PyTask(at_once(), loop=loop)
        made["pending in python"] = asyncio.tasks._PyTask(forever(), loop=loop)
        await asyncio.sleep(0)
        made["cancelled"].cancel()
        await asyncio.sleep(0.01)
        made["failed"].exception()

    async def fail():
        raise ValueError

    loop.run_until_complete(work())
    case("finished task", LEAKING, "finished task", state(made["finished"], "finished"))
    case("failed task", LEAKING, "finished task", state(made["failed"], "finished"))
    case("cancelled task", LEAKING, "cancelled task", state(made["cancelled"], "cancelled"))
    case("pending task", UNKNOWN, "", state(made["pending"], "pending"))
    case("finished task in Python", LEAKING, "finished task", made["in python"])
    case("pending task in Python", UNKNOWN, "", made["pending in python"])
    waits = case("task that was not started", UNKNOWN, "", loop.create_task(at_once()))
    coroutine = waits.get_coro() if hasattr(waits, "get_coro") else waits._coro
    case("coroutine of a task", UNKNOWN, "", coroutine)

    for of, make in (("", loop.create_future), (" in Python", lambda: asyncio.futures._PyFuture(loop=loop))):
        done = case("finished future" + of, LEAKING, "finished future", make())
        done.set_result(7)
        cancelled = case("cancelled future" + of, LEAKING, "cancelled future", make())
        cancelled.cancel()
        case("pending future" + of, UNKNOWN, "", make())
    state(loop.create_future(), "pending")
    done = case("result of an executor", LEAKING, "finished future", concurrent.futures.Future())
    done.set_result(7)
    case("pending result of an executor", UNKNOWN, "", concurrent.futures.Future())

    case("event loop that waits to run", UNKNOWN, "", loop)
    closed = case("closed event loop", LEAKING, "closed event loop", asyncio.new_event_loop())
    closed.close()
    running = []

    def run(ready):
        own = asyncio.new_event_loop()
        running.append(own)
        own.call_soon(ready.set)
        own.run_forever()

    wait_in_thread(run)
    case("running event loop", NOT_LEAKING, "running event loop", running[0])


# Files, sockets, sessions


def files():
    for name, options in (("text", {}), ("binary", {"mode": "rb"}), ("raw", {"mode": "rb", "buffering": 0})):
        closed = case("closed %s file" % name, LEAKING, "closed file", open("/dev/null", **options))
        closed.close()
        case("open %s file" % name, UNKNOWN, "", open("/dev/null", **options))
    raw = open("/dev/null", "rb", buffering=0)
    state(raw, "open")
    raw = open("/dev/null", "rb", buffering=0)
    raw.close()
    case("raw file", LEAKING, "closed file", state(raw, "closed"))

    one, other = socket.socketpair()
    one.close()
    case("closed socket", LEAKING, "closed socket", state(one, "closed"))
    case("open socket", UNKNOWN, "", state(other, "open"))

    one, other = multiprocessing.connection.Pipe()
    one.close()
    case("closed connection", LEAKING, "closed connection", one)
    case("open connection", UNKNOWN, "", other)


def transports():
    loop = asyncio.new_event_loop()
    made = []

    async def connect():
        for _ in range(2):
            end, other = socket.socketpair()
            KEPT.append(other)
            end.setblocking(False)
            made.append((await loop.create_connection(asyncio.Protocol, sock=end))[0])
        made[0].abort()
        await asyncio.sleep(0.01)

    loop.run_until_complete(connect())
    case("closed transport", LEAKING, "closed transport", made[0])
    case("open transport", UNKNOWN, "", made[1])


def executors():
    for name, is_shut in (("shut down", True), ("in service", False)):
        pool = concurrent.futures.ThreadPoolExecutor(1)
        pool.submit(int).result()
        if is_shut:
            pool.shutdown()
        expected = (LEAKING, "executor that was shut down") if is_shut else (UNKNOWN, "")
        case("executor %s" % name, *expected, pool)


def threads():
    finished = threading.Thread(target=int)
    finished.start()
    finished.join()
    case("finished thread", LEAKING, "finished thread", finished)
    case("thread that was not started", UNKNOWN, "", threading.Thread(target=int))

    def run(ready):
        ready.set()
        rest()

    case("running thread", NOT_LEAKING, "running thread", wait_in_thread(run))

    class Own(threading.Thread):
        def run(self):
            pass

    finished = case("finished thread of a subclass", LEAKING, "finished thread", Own())
    finished.start()
    finished.join()


# Exceptions and frames


def fail(depth):
    if depth == 0:
        raise ValueError
    fail(depth - 1)


def exceptions():
    try:
        fail(2)
    except ValueError as error:
        kept = error
    why = "exception that is kept with its traceback"
    case("kept exception", LEAKING, why, kept)
    ended = kept.__traceback__.tb_next.tb_next.tb_frame
    case("frame that ended", LEAKING, "frame that ended and that a traceback keeps", ended)
    case("exception that was not raised", UNKNOWN, "", ValueError())
    try:
        fail(0)
    except ValueError as error:
        case("exception without its traceback", UNKNOWN, "", error.with_traceback(None))
    suspended = count()
    next(suspended)
    case("frame of a suspended generator", UNKNOWN, "", suspended.gi_frame)

    def run(ready):
        case("running frame", NOT_LEAKING, "running frame", sys._getframe())
        ready.set()
        rest()

    wait_in_thread(run)

    def handle(ready):
        try:
            fail(1)
        except ValueError as error:
            case("frame of an exception that is handled", UNKNOWN, "", error.__traceback__.tb_next.tb_frame)
            case("exception that is handled", UNKNOWN, "", error)
            ready.set()
            rest()

    wait_in_thread(handle)


# Caches and classes


class Shop:
    @functools.lru_cache(maxsize=5)
    def price(self, item):
        return {item: 1}

    @functools.lru_cache(maxsize=None)
    def stock(self):
        return 7

    @classmethod
    @functools.lru_cache(maxsize=5)
    def make(cls, item):
        return item


class Branch(Shop):
    pass


@functools.lru_cache(maxsize=5)
def price_in(shop):
    return 1


MAIN_SHOP = Shop()


def key_of(shop):
    keys = [one for one in gc.get_referrers(shop) if type(one) is tuple and one[0] is shop]
    (key,) = [one for one in keys if shop is not Shop or one[1:] == (3,)]
    return key


def caches():
    def reason(method):
        return "entry of the lru_cache of the method %s: it keeps self" % method

    def entry(name, expected, call, shop):
        call(shop)
        case(name, *expected, key_of(shop))

    entry("entry of a method", (LEAKING, reason("price")), lambda shop: shop.price(3), Shop())
    entry("entry of an inherited method", (LEAKING, reason("price")), lambda shop: shop.price(3), Branch())
    entry("entry of a method without a bound", (LEAKING, reason("stock")), lambda shop: shop.stock(), Shop())
    entry("entry of a function", (UNKNOWN, ""), price_in, Shop())
    entry("entry of an object for good", (UNKNOWN, ""), lambda shop: shop.price(3), MAIN_SHOP)
    Shop.make(3)
    case("entry of a class method", UNKNOWN, "", key_of(Shop))
    state(Shop.price, "bounded", 5)
    state(collections.deque(maxlen=9), "bounded", 9)
    state(collections.deque(maxlen=0), "bounded", 0)
    state(collections.deque(), None)
    state(Shop.stock, None)


def classes():
    plugin = sys.modules["plugin"] = types.ModuleType("plugin")
    code = "class Handler:\n    def run(self): pass\n    class Options: pass\n"
    exec(code, plugin.__dict__)
    old = plugin.Handler
    exec(code, plugin.__dict__)
    why = "class that its module replaced by another of the same name"
    case("replaced class", LEAKING, why, old)
    case("class within a replaced class", LEAKING, why, old.Options)
    case("class of a module", NOT_LEAKING, "class that a module holds", plugin.Handler)
    case("class within a class", NOT_LEAKING, "class that a module holds", plugin.Handler.Options)
    case("instance of a replaced class", UNKNOWN, "", old())

    def make():
        class Local:
            pass

        return Local

    case("class of a function", UNKNOWN, "", make())
    case("another class of a function", UNKNOWN, "", make())
    case("imported module", NOT_LEAKING, "imported module", plugin)
    case("module that is not imported", UNKNOWN, "", types.ModuleType("gone"))


for make in (
    generators, in_far_lines, with_defaults, in_hand, tasks, files, transports, executors, threads,
    exceptions, caches, classes,
):
    make()
del make
serve()
