"""The same function that remembers its last 32 results: the twin of `leaky_memo.py`.

leakhunt must say: nothing grows once the cache is full.
"""

import functools

from pace import requests


class Quote:
    def __init__(self, article):
        self.article = article


@functools.lru_cache(maxsize=32)
def quote(article):
    return Quote(article)


def serve(seconds):
    for article in requests(seconds):
        quote(article)

if __name__ == "__main__":
    serve(seconds=12)
