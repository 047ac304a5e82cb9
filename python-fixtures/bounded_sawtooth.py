"""The same cache, cleared every second with its index: the twin of `leaky_sawtooth.py`.

leakhunt must say: nothing grows.
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
        CACHE.clear()
        BY_NAME.clear()


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
