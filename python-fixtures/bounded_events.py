"""The same queue with a thread that reads it: the twin of `leaky_events.py`.

leakhunt must say: nothing grows.
"""

import queue
import threading

from pace import requests

EVENTS = queue.Queue()


class Event:
    def __init__(self, number):
        self.number = number


def read():
    while EVENTS.get() is not None:
        pass


def serve(seconds):
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for number in requests(seconds):
        EVENTS.put(Event(number))
    EVENTS.put(None)
    reader.join()

if __name__ == "__main__":
    serve(seconds=12)
