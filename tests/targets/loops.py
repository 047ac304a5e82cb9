"""Event loops in threads, with timers of all kinds."""
import asyncio
import functools
import logging
import reprlib


class Till:
    def tick(self, *args):
        pass


class Calling:
    def __call__(self):
        pass


class HangingRepr:
    """As a bound object it is no matter; as an argument, debug mode shows it."""

    def __call__(self):
        pass

    def __repr__(self):
        while True:
            pass


till = Till()
kept = []
threads = []


def start_loop(factory=asyncio.new_event_loop):
    """A loop that runs in a thread of its own."""
    loop = factory()
    started = threading.Event()

    def run():
        asyncio.set_event_loop(loop)
        loop.call_soon(started.set)
        loop.run_forever()
        loop.close()

    thread = threading.Thread(target=run, name="loop-%d" % len(threads), daemon=True)
    threads.append((thread, loop))
    thread.start()
    started.wait()
    settle(loop)
    return loop


def in_loop(loop, function):
    """What a function returns in the loop's thread."""
    done, answers = threading.Event(), []

    def call():
        try:
            answers.append(function())
        finally:
            done.set()

    loop.call_soon_threadsafe(call)
    done.wait()
    return answers[0] if answers else None


def settle(loop):
    """Waits until the loop has nothing more to do at once."""
    done = threading.Event()

    def look():
        # By a timer: what wakes the loop for another thread is itself something to do.
        if len(getattr(loop, "_ready", ())):
            loop.call_later(0.001, look)
        else:
            done.set()

    loop.call_soon_threadsafe(loop.call_later, 0.001, look)
    done.wait()


async def sleeper(seconds):
    await asyncio.sleep(seconds)


def sleep_in(loop, seconds):
    kept.append(in_loop(loop, lambda: loop.create_task(sleeper(seconds))))
    settle(loop)


def scheduled_lines(loop):
    """As Home Assistant's profiler logs them."""
    before = reprlib.aRepr.maxstring, reprlib.aRepr.maxother
    reprlib.aRepr.maxstring = reprlib.aRepr.maxother = 300
    try:
        handles = [handle for handle in loop._scheduled if not handle.cancelled()]
        return ["Scheduled: %s" % handle for handle in handles]
    finally:
        reprlib.aRepr.maxstring, reprlib.aRepr.maxother = before


def debug_state():
    """What `asyncio-debug` may change."""
    loops = [loop for thread, loop in threads]
    return {
        "debug": [loop.get_debug() for loop in loops],
        "slow": [loop.slow_callback_duration for loop in loops],
        "origins": [in_loop(loop, sys.get_coroutine_origin_tracking_depth) for loop in loops],
        "root": logging.getLogger().level,
    }


def stop():
    for task in kept:
        if hasattr(task, "get_coro"):
            task.get_loop().call_soon_threadsafe(task.cancel)
    for thread, loop in threads:
        settle(loop)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


serve()
