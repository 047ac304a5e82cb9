"""Each request wraps the handler in one more middleware, as patching something again and again does.

leakhunt must say: `Middleware` grows, held by `leaky_middleware.HANDLER.args`.
"""

from functools import partial

from pace import requests


class Middleware:
    def __init__(self, number):
        self.number = number


def call(middleware, handler):
    return middleware, handler


HANDLER = partial(call, None, None)


def handle(number):
    global HANDLER
    HANDLER = partial(call, Middleware(number), HANDLER)  # the leak: around what is wrapped already


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
