"""A `WeakValueDictionary` of observers, each of which a list keeps alive all the same.

leakhunt must say: `Observer` grows, held by `leaky_observers.PINNED`.
"""

import weakref

from pace import requests

OBSERVERS = weakref.WeakValueDictionary()
PINNED = []


class Observer:
    def __init__(self, number):
        self.number = number


def handle(number):
    observer = OBSERVERS[number] = Observer(number)
    PINNED.append(observer)  # the leak: the dictionary alone would let it go


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
