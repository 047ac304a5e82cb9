"""What Python keeps by itself and empties when it is full: caches of `functools` and `fnmatch`.

leakhunt must say: nothing grows once the caches are full.
"""

import fnmatch
import functools
import random

from pace import requests


@functools.lru_cache(maxsize=16)
def squared(number):
    return number * number


def handle(number):
    squared(number)
    return fnmatch.fnmatch("orders.csv", "orders*.%d" % (number % 9)), random.Random(number)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
