"""A `deque` without a `maxlen` has the whole history.

leakhunt must say: `Change` grows, held by `leaky_history.HISTORY`.
"""

from collections import deque

from pace import requests

HISTORY = deque()  # the leak: no `maxlen`


class Change:
    def __init__(self, number):
        self.number = number


def handle(number):
    HISTORY.append(Change(number))


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
