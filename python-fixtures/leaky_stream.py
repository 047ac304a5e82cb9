"""Of two iterators of an `itertools.tee` one is never read: it keeps all that the other has seen.

leakhunt must say: `Event` grows, held by `leaky_stream.SLOW`.
"""

import itertools

from pace import requests


class Event:
    def __init__(self, number):
        self.number = number


FAST, SLOW = itertools.tee(map(Event, itertools.count()))


def serve(seconds):
    for _ in requests(seconds):
        next(FAST)  # the leak: and nobody asks for `next(SLOW)`

if __name__ == "__main__":
    serve(seconds=12)
