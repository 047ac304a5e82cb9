"""A decorator remembers each `Call` in a list that only its closure knows.

leakhunt must say: `Call` grows, held by `cell 'calls' of leaky_counter.price()`.
"""

import functools
import time


class Call:
    def __init__(self, args):
        self.args = args


def counted(function):
    calls = []

    @functools.wraps(function)
    def wrapper(*args):
        calls.append(Call(args))  # the leak: a count would do
        return function(*args)

    wrapper.n_calls = lambda: len(calls)
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
