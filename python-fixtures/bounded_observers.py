"""The same observers, which only the `WeakValueDictionary` has: the twin of `leaky_observers.py`.

leakhunt must say: nothing grows.
"""

import weakref

from pace import requests

OBSERVERS = weakref.WeakValueDictionary()


class Observer:
    def __init__(self, number):
        self.number = number


def handle(number):
    observer = OBSERVERS[number] = Observer(number)
    return observer.number


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
