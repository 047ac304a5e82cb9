"""Each `Scratch` registers its removal with `atexit`, and the process does not exit.

leakhunt must say: `method` grows, held by `atexit callback leaky_cleanup.Scratch.remove`,
`atexit callbacks` or `atexit`.
"""

import atexit

from pace import requests


class Scratch:
    def __init__(self, number):
        self.number = number
        atexit.register(self.remove)  # the leak: there is no `unregister`

    def remove(self):
        self.number = None


def serve(seconds):
    for number in requests(seconds):
        Scratch(number)

if __name__ == "__main__":
    serve(seconds=12)
