"""The same list, which dead references leave by their callback: the twin of `leaky_weakrefs.py`.

leakhunt must say: nothing grows.
"""

import weakref

from pace import requests

LISTENERS = []


class Listener:
    pass


def handle():
    listener = Listener()
    LISTENERS.append(weakref.ref(listener, LISTENERS.remove))


def serve(seconds):
    for _ in requests(seconds):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
