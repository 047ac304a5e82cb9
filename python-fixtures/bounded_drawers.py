"""The same drawers with room for 50: the twin of `leaky_drawers.py` that does not leak.

leakhunt must say: nothing grows once the drawers are full.
"""

import threading
import time
from collections import deque

LOCAL = threading.local()


class Receipt:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


def work(number):
    LOCAL.drawers.append(Receipt(number))


def serve(seconds):
    LOCAL.drawers = deque(maxlen=50)
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        work(number)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
