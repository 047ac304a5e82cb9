"""The same sessions, which ask whether there is a shutdown: the twin of `leaky_shutdown.py`.

leakhunt must say: nothing grows.
"""

from concurrent.futures import Future

from pace import requests

SHUTDOWN = Future()


class Session:
    def __init__(self, number):
        self.number = number
        if SHUTDOWN.done():
            self.close()

    def close(self):
        self.number = None


def serve(seconds):
    for number in requests(seconds):
        Session(number)

if __name__ == "__main__":
    serve(seconds=12)
