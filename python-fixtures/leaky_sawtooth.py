"""A cache that is cleared every second, and an index of it that is not.

leakhunt must say: `Entry` grows, held by `leaky_sawtooth.BY_NAME`.
"""

from pace import requests

CACHE, BY_NAME = {}, {}


class Entry:
    def __init__(self, number):
        self.name = "entry %d" % number


def handle(number):
    entry = CACHE[number] = Entry(number)
    BY_NAME[entry.name] = entry
    if number % 100 == 0:
        CACHE.clear()  # the leak: without `BY_NAME.clear()`


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
