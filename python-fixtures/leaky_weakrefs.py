"""A list of weak references, whose objects are long gone.

leakhunt must say: `ReferenceType` grows, held by `leaky_weakrefs.LISTENERS`.
"""

import weakref

from pace import requests

LISTENERS = []


class Listener:
    pass


def handle():
    listener = Listener()
    LISTENERS.append(weakref.ref(listener))  # the leak: a dead reference is an object, too


def serve(seconds):
    for _ in requests(seconds):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
