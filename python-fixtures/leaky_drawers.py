"""Each thread has drawers of its own in a `threading.local`, and the worker never empties them.

leakhunt must say: `Receipt` grows, held by `leaky_drawers.LOCAL.drawers`.
"""

import threading
import time

LOCAL = threading.local()


class Receipt:
    __slots__ = ("number",)

    def __init__(self, number):
        self.number = number


def work(number):
    LOCAL.drawers.append(Receipt(number))  # the leak: nothing ever takes one out


def serve(seconds):
    LOCAL.drawers = []
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        work(number)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
