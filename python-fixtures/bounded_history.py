"""The same `deque` with room for 30 changes: the twin of `leaky_history.py`.

leakhunt must say: nothing grows once it is full.
"""

from collections import deque

from pace import requests

HISTORY = deque(maxlen=30)


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
