"""Patterns that are compiled once: the caches of `re` and `struct` have a size of their own.

leakhunt must say: nothing grows.
"""

import re
import struct

from pace import requests


def handle(number):
    struct.calcsize("%dB" % number)
    return re.match("/orders/%d" % number, "/orders/7")


# More than the caches hold: they are full before the first request.
for warm_up in range(600):
    handle(90_000 + warm_up)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
