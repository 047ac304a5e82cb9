"""The same decorator that keeps the last call: the twin of `leaky_counter.py`.

leakhunt must say: nothing grows.
"""

import functools
import time


class Call:
    def __init__(self, args):
        self.args = args


def counted(function):
    last = None

    @functools.wraps(function)
    def wrapper(*args):
        nonlocal last
        last = Call(args)
        return function(*args)

    return wrapper


@counted
def price(article):
    return article * 1.19


def serve(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        price(100)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
