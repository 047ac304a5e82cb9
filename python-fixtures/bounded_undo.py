"""The same history, which is cut off now and then: the twin of `leaky_undo.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Change:
    def __init__(self, number, before):
        self.number = number
        self.before = before


class History:
    last = None

    def add(self, number):
        self.last = Change(number, self.last)
        if number % 10 == 0:
            self.last.before = None


HISTORY = History()


def serve(seconds):
    for number in requests(seconds):
        HISTORY.add(number)

if __name__ == "__main__":
    serve(seconds=12)
