"""The same `defaultdict` by the route: the twin of `leaky_hits.py`.

leakhunt must say: nothing grows.
"""

from collections import defaultdict

from pace import requests


class Counts:
    def __init__(self):
        self.n_hits = 0


HITS = defaultdict(Counts)


def handle(number):
    HITS["/orders/%d" % (number % 7)].n_hits += 1


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
