"""A function that remembers its result for all arguments there ever were.

leakhunt must say: `Quote` grows, held by `leaky_memo.quote cache`.
"""

import functools

from pace import requests


class Quote:
    def __init__(self, article):
        self.article = article


@functools.lru_cache(maxsize=None)  # the leak: the articles never end
def quote(article):
    return Quote(article)


def serve(seconds):
    for article in requests(seconds):
        quote(article)

if __name__ == "__main__":
    serve(seconds=12)
