"""A set of the module remembers each `Visitor` that was ever seen.

leakhunt must say: `Visitor` grows, held by `leaky_visitors.SEEN`.
"""

from pace import requests

SEEN = set()


class Visitor:
    def __init__(self, number):
        self.number = number


def handle(number):
    SEEN.add(Visitor(number))  # the leak: visitors come back as others


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
