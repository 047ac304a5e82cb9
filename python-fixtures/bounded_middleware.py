"""The same handler wrapped in one middleware at a time: the twin of `leaky_middleware.py`.

leakhunt must say: nothing grows.
"""

from functools import partial

from pace import requests


class Middleware:
    def __init__(self, number):
        self.number = number


def call(middleware, handler):
    return middleware, handler


BARE = partial(call, None, None)
HANDLER = BARE


def handle(number):
    global HANDLER
    HANDLER = partial(call, Middleware(number), BARE)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
