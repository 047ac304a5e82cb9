"""A process with a given number of tracked objects, some of them old, and a thread that ticks.

Of five tracked objects one is an instance with attributes, one an instance with slots, one a dict,
one a list and one a tuple. Answers questions, one line each, with milliseconds.
"""

import gc
import random
import sys
import threading
import time

try:
    import objgraph
except ImportError:
    objgraph = None


class Plain:
    def __init__(self, n):
        self.n = n
        self.text = str(n)
        self.value = n * 0.5


class Slots:
    __slots__ = ("one", "two")

    def __init__(self, n):
        self.one = n
        self.two = [n]


def five(n):
    plain = Plain(n)
    return (plain, {"name": str(n), "of": plain}, Slots(n), plain)


class Ticker(threading.Thread):
    """Sleeps for a millisecond again and again; knows the longest time between two ticks."""

    longest = 0.0

    def run(self):
        last = time.perf_counter()
        while True:
            time.sleep(0.001)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last)
            last = now


def timed(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def guppy():
    try:
        from guppy import hpy
    except ImportError:
        return "none"
    ticker.longest = 0.0
    return timed(hpy().heap)


def pympler():
    try:
        from pympler import muppy, summary
    except ImportError:
        return "none"
    ticker.longest = 0.0
    return timed(lambda: summary.summarize(muppy.get_objects()))


gc.disable()
n_groups = int(sys.argv[1]) // 5
heap = [five(n) for n in range(n_groups)]
dice = random.Random(1)
for _ in range(2):
    for index in dice.sample(range(n_groups), n_groups // 3):
        heap[index] = five(index)
gc.collect()
gc.enable()
ticker = Ticker(daemon=True)
ticker.start()
if objgraph:
    objgraph.growth(limit=None)
print("ready", flush=True)
for question in sys.stdin:
    question = question.strip()
    if question == "reset":
        ticker.longest = 0.0
        answer = 0
    elif question == "stall":
        time.sleep(0.003)
        answer = ticker.longest * 1000
    elif question == "rest":
        answer = timed(lambda: time.sleep(0.5))
    elif question == "objects":
        answer = len(gc.get_objects())
    elif question == "get_objects":
        answer = timed(gc.get_objects)
    elif question == "growth":
        answer = timed(lambda: objgraph.growth(limit=None)) if objgraph else "none"
    elif question == "guppy":
        answer = guppy()
    elif question == "pympler":
        answer = pympler()
    else:
        answer = "none"
    print(answer, flush=True)
