"""The same iterators, both read: the twin of `leaky_stream.py`.

leakhunt must say: nothing grows.
"""

import itertools

from pace import requests


class Event:
    def __init__(self, number):
        self.number = number


FAST, SLOW = itertools.tee(map(Event, itertools.count()))


def serve(seconds):
    for _ in requests(seconds):
        next(FAST)
        next(SLOW)

if __name__ == "__main__":
    serve(seconds=12)
