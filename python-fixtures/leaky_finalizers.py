"""Each `Connection` waits for the end of a server that has none, in `weakref.finalize`.

leakhunt must say: `Connection` grows, held by `weakref.finalize._registry`.
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
    weakref.finalize(SERVER, Connection(number).close)  # the leak: the server outlives them all


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
