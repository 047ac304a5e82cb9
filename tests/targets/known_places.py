"""Threads that wait, each for something else. Run by `waiting_threads.py`."""
import functools
import os
import select
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

plain, reentrant = threading.Lock(), threading.RLock()
both_hold_one = threading.Barrier(2)
never = threading.Event()
shut = threading.Lock()
shut.acquire()


def plain_first():
    with plain:
        both_hold_one.wait()
        with reentrant:
            pass


def reentrant_first():
    with reentrant:
        both_hold_one.wait()
        with plain:
            pass


def for_an_event(number, text="it's"):
    known_list = [number, text]
    return (
        never.wait(),
        known_list,
    )


def in_select():
    reader, _ = os.pipe()
    select.select([reader], [], [])


def recursive(depth):
    if depth:
        return recursive(depth - 1)
    never.wait()


def numbers():
    yield 1
    never.wait()


class Worker(threading.Thread):
    def run(self):
        inner = [one for one in self.each()]
        return inner

    def each(self):
        for number in numbers():
            yield number


class Method:
    def wait(self):
        shut.acquire()


def start(target, name, *args):
    threading.Thread(target=target, name=name, args=args, daemon=True).start()


start(plain_first, "plain first")
start(reentrant_first, "reentrant first")
start(for_an_event, "event é", 12)
start(in_select, "select")
start(time.sleep, "sleep", 3600)
start(recursive, "recursive", 30)
start(functools.partial(Method().wait), "method")
start(exec, "executed", compile("def f():\n    never.wait()\nf()", "<made>", "exec"), globals())
Worker(name="worker", daemon=True).start()
pool = ThreadPoolExecutor(3, thread_name_prefix="pool")
for future in [pool.submit(both_hold_one.__class__, 2) for _ in range(3)]:
    future.result()


def stacks():
    """As `traceback` sees them: name, ident, native id, daemon or not, frames, text."""
    frames = sys._current_frames()
    return [
        {
            "name": thread.name,
            "ident": thread.ident,
            "native_id": thread.native_id,
            "daemon": thread.daemon,
            "frames": [
                [one.filename, one.lineno, one.name]
                for one in reversed(traceback.extract_stack(frames[thread.ident]))
            ],
            "text": "".join(traceback.format_stack(frames[thread.ident])).strip(),
        }
        for thread in threading.enumerate()
        if thread.ident in frames
    ]
