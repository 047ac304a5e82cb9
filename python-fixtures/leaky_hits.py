"""A `defaultdict` counts hits by a key that is never the same.

leakhunt must say: `Counts` grows, held by `leaky_hits.HITS`.
"""

from collections import defaultdict

from pace import requests


class Counts:
    def __init__(self):
        self.n_hits = 0


HITS = defaultdict(Counts)


def handle(number):
    HITS["/orders/%d" % number].n_hits += 1  # the leak: the number belongs not to the route


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
