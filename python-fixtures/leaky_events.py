"""Events go into a `queue.Queue` that nobody reads.

leakhunt must say: `Event` grows, held by `leaky_events.EVENTS.queue`.
"""

import queue

from pace import requests

EVENTS = queue.Queue()


class Event:
    def __init__(self, number):
        self.number = number


def handle(number):
    EVENTS.put(Event(number))  # the leak: the thread that read them is gone


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
