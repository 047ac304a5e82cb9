"""A cache in an `OrderedDict` drops the wrong entry: the one that it has just put in again.

leakhunt must say: `Thumbnail` grows, held by `leaky_thumbnails.CACHE`.
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
        key, oldest = CACHE.popitem(last=False)
        CACHE[key] = oldest  # the leak: it was to be moved only when it was asked for


def serve(seconds):
    for number in requests(seconds):
        thumbnail(number)

if __name__ == "__main__":
    serve(seconds=12)
