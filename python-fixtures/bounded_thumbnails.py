"""The same cache, which drops the oldest entry: the twin of `leaky_thumbnails.py`.

leakhunt must say: nothing grows once the cache is full.
"""

from collections import OrderedDict

from pace import requests

CACHE = OrderedDict()
MOST = 20


class Thumbnail:
    def __init__(self, number):
        self.number = number


def thumbnail(number):
    CACHE[number] = Thumbnail(number)
    if len(CACHE) > MOST:
        CACHE.popitem(last=False)


def serve(seconds):
    for number in requests(seconds):
        thumbnail(number)

if __name__ == "__main__":
    serve(seconds=12)
