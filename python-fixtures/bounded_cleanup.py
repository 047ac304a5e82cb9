"""The same files, which leave `atexit` when they are removed: the twin of `leaky_cleanup.py`.

leakhunt must say: nothing grows.
"""

import atexit

from pace import requests


class Scratch:
    def __init__(self, number):
        self.number = number
        atexit.register(self.remove)

    def remove(self):
        self.number = None
        atexit.unregister(self.remove)


def serve(seconds):
    for number in requests(seconds):
        Scratch(number).remove()

if __name__ == "__main__":
    serve(seconds=12)
