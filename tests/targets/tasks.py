"""Tasks of all kinds on two running event loops and a closed one, and an oracle that knows them."""
import asyncio

TASKS = []
LATER = []
kept = []
loops = []


async def forever():
    await asyncio.sleep(1000000)


async def take(queue):
    await queue.get()


async def take_deep(queue):
    await take(queue)


async def ticks():
    yield 1
    await forever()


async def iterate():
    async for _ in ticks():
        pass


async def gather():
    await asyncio.gather(forever(), forever(), asyncio.gather(forever()))


async def wait():
    await asyncio.wait([asyncio.ensure_future(forever()), asyncio.ensure_future(forever())])


async def wait_for(task):
    await asyncio.wait_for(task, 1000000)


async def shield(task):
    await asyncio.shield(task)


async def join(task):
    await task


async def complete():
    for one in asyncio.as_completed([forever(), forever()]):
        await one


async def lock(one):
    async with one:
        await forever()


async def group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(forever(), name="of a group")
        tasks.create_task(gather(), name="gather of a group")


async def ring(box):
    await box[0]


async def handle():
    return 1


async def fail():
    raise ValueError("a secret")


async def send():
    pass


class Stubborn(asyncio.Task):
    def __repr__(self):
        raise ValueError("no repr")

    def get_coro(self):
        raise ValueError("no coroutine")

    def get_name(self):
        raise ValueError("no name")

    _coro = property(get_coro)


class StubbornPython(asyncio.tasks._PyTask):
    def __repr__(self):
        raise ValueError("no repr")

    def get_name(self):
        raise ValueError("no name")


class Waiting:
    """An awaitable that is no coroutine."""

    def __init__(self):
        self.inner = forever()

    def __await__(self):
        return self.inner.__await__()


async def await_object():
    await Waiting()


def start(coroutine, name=None):
    task = asyncio.get_event_loop().create_task(coroutine)
    if name:
        task.set_name(name)
    kept.append(task)
    return task


def start_all():
    loop = asyncio.get_event_loop()
    queue, a_lock = asyncio.Queue(), asyncio.Lock()
    kept.extend([queue, a_lock])
    awaited = start(forever(), "awaited")
    for name, coroutine in [
        ("take", take(queue)), ("take deep", take_deep(queue)), ("iterate", iterate()), ("gather", gather()),
        ("wait", wait()), ("wait_for", wait_for(awaited)), ("shield", shield(awaited)), ("join", join(awaited)),
        ("lock 1", lock(a_lock)), ("lock 2", lock(a_lock)), ("object", await_object()),
    ]:
        start(coroutine, name)
    if hasattr(asyncio, "TaskGroup"):
        start(group(), "group")
    python = asyncio.tasks._PyTask(forever(), loop=loop, name="python")
    kept.extend([python, start(join(python), "join of python")])
    kept.append(asyncio.tasks._PyTask(join(awaited), loop=loop, name="python join"))
    if hasattr(asyncio, "eager_task_factory"):
        kept.append(asyncio.eager_task_factory(loop, forever(), name="eager"))
        TASKS.append(asyncio.eager_task_factory(loop, handle(), name="eager and done"))


def start_others():
    """What asyncio's own tool does not know, or cannot show."""
    loop = asyncio.get_event_loop()
    start(complete(), "complete")
    box = [None]
    box[0] = start(ring(box), "ring 1")
    other = [box[0]]
    box[0] = start(ring(other), "ring 2")
    kept.append(Stubborn(forever(), loop=loop, name="stubborn"))
    kept.append(StubbornPython(forever(), loop=loop, name="stubborn python"))
    TASKS.extend(loop.create_task(handle()) for _ in range(12))
    TASKS.extend(loop.create_task(fail()) for _ in range(3))
    cancelled = loop.create_task(forever(), name="cancelled")
    TASKS.append(cancelled)
    loop.call_later(0.01, cancelled.cancel)
    LATER.extend(send() for _ in range(4))
    closed = asyncio.new_event_loop()
    kept.append(closed.create_task(forever()))
    closed.close()
    loops.append(closed)


def run_another_loop():
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    kept.append(loop.create_task(forever()))
    loops.append(loop)
    loop.call_soon(is_running.set)
    loop.run_until_complete(gather())


is_running = threading.Event()


def plain(method, task):
    """A method of asyncio, whatever a subclass has made of it."""
    base = asyncio.Task if isinstance(task, asyncio.Task) else asyncio.tasks._PyTask
    return getattr(base, method)(task)


def state_of(task):
    if hasattr(task, "cancelling") and task.cancelling():
        return "cancelling"
    waiter = task._fut_waiter
    return "waiting" if waiter is not None and not waiter.done() else "ready"


def all_tasks(loop):
    """From 3.14 on asyncio's own list leaves out tasks that are written in Python."""
    in_python = getattr(asyncio.tasks, "_py_all_tasks", asyncio.all_tasks)
    return asyncio.all_tasks(loop) | set(in_python(loop))


def truth():
    """Of each loop: its tasks as (name, coroutine, state, line of the outermost frame)."""
    found = []
    for loop in loops:
        for task in all_tasks(loop):
            frames = task.get_stack() if not isinstance(task, (Stubborn, StubbornPython)) else None
            line = frames[0].f_lineno if frames else None
            found.append([id(loop), plain("get_name", task), plain("get_coro", task).__qualname__, state_of(task), line])
    return found


def logged():
    """What Home Assistant's profiler would log, of all loops."""
    import reprlib
    before = reprlib.aRepr.maxstring, reprlib.aRepr.maxother
    reprlib.aRepr.maxstring = reprlib.aRepr.maxother = 300
    lines = []
    for loop in loops:
        for task in all_tasks(loop):
            try:
                lines.append("Task: %s" % repr(task))
            except Exception:
                lines.append("Task: Failed to serialize %s" % type(task))
    reprlib.aRepr.maxstring, reprlib.aRepr.maxother = before
    return lines


def on_request():
    try:
        poll()
    except SystemExit:
        os._exit(EXIT_CODE)


async def main():
    loops.append(asyncio.get_event_loop())
    loops[0].add_reader(0, on_request)
    # uvloop makes it answer at once.
    os.set_blocking(0, True)
    start_all()
    if "plain" not in sys.argv:
        start_others()
        threading.Thread(target=run_another_loop, daemon=True, name="another loop").start()
        is_running.wait()
    await asyncio.sleep(0.2)
    say({"ready": os.getpid()})
    await forever()


if "uvloop" in sys.argv:
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
asyncio.run(main())
