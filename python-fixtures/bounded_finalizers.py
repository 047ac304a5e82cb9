"""The same connections, closed at the end of the request: the twin of `leaky_finalizers.py`.

leakhunt must say: nothing grows.
"""

import weakref

from pace import requests


class Server:
    pass


class Connection:
    def __init__(self, number):
        self.number = number

    def close(self):
        self.number = None


SERVER = Server()


def handle(number):
    close = weakref.finalize(SERVER, Connection(number).close)
    close()


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
