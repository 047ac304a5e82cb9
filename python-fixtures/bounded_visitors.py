"""The same set, which visitors leave at the end of their request: the twin of `leaky_visitors.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

SEEN = set()


class Visitor:
    def __init__(self, number):
        self.number = number


def handle(number):
    visitor = Visitor(number)
    SEEN.add(visitor)
    SEEN.discard(visitor)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
