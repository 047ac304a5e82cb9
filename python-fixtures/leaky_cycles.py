"""Objects that refer to each other, and a collector that is switched off.

leakhunt must say: `Child` grows and is garbage.
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
    gc.disable()  # the leak: nothing else takes cycles apart
    for _ in requests(seconds):
        Parent()

if __name__ == "__main__":
    serve(seconds=12)
