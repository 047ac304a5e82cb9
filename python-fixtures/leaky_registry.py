"""A registry of dicts in dicts: `REGISTRY["rooms"]["lobby"]` keeps the `Seat` of each guest.

leakhunt must say: `Seat` grows, held by `leaky_registry.REGISTRY['rooms']['lobby']`.
"""

import time

REGISTRY = {"rooms": {"lobby": {}, "bar": {}}, "staff": {}}


class Seat:
    def __init__(self, guest):
        self.guest = guest


def arrive(guest):
    REGISTRY["rooms"]["lobby"][guest] = Seat(guest)


def leave(guest):
    REGISTRY["rooms"]["bar"].pop(guest, None)  # the leak: it is the wrong room


def serve(seconds):
    end = time.monotonic() + seconds
    guest = len(REGISTRY["rooms"]["lobby"])
    while time.monotonic() < end:
        guest += 1
        arrive(guest)
        leave(guest)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
