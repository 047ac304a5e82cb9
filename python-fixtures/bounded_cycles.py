"""The same cycles, which are taken apart when they are done with: the twin of `leaky_cycles.py`.

leakhunt must say: nothing grows.
"""

import gc

from pace import requests


class Parent:
    def __init__(self):
        self.child = Child(self)


class Child:
    def __init__(self, parent):
        self.parent = parent


def serve(seconds):
    gc.disable()
    for number in requests(seconds):
        Parent()
        if number % 20 == 0:
            gc.collect(0)

if __name__ == "__main__":
    serve(seconds=12)
