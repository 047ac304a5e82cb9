"""The same registry with guests that leave the room they are in: the twin of `leaky_registry.py`.

leakhunt must say: nothing grows.
"""

import time

REGISTRY = {"rooms": {"lobby": {}, "bar": {}}, "staff": {}}


class Seat:
    def __init__(self, guest):
        self.guest = guest


def arrive(guest):
    REGISTRY["rooms"]["lobby"][guest] = Seat(guest)


def leave(guest):
    REGISTRY["rooms"]["lobby"].pop(guest, None)


def serve(seconds):
    end = time.monotonic() + seconds
    guest = 0
    while time.monotonic() < end:
        guest += 1
        arrive(guest)
        leave(guest)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
