"""An undo history: each `Change` refers to the one before it.

leakhunt must say: `Change` grows, held by `leaky_undo.HISTORY.last`.
"""

from pace import requests


class Change:
    def __init__(self, number, before):
        self.number = number
        self.before = before


class History:
    last = None

    def add(self, number):
        self.last = Change(number, self.last)  # the leak: it has no first change


HISTORY = History()


def serve(seconds):
    for number in requests(seconds):
        HISTORY.add(number)

if __name__ == "__main__":
    serve(seconds=12)
