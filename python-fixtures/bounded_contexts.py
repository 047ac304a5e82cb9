"""The same contexts, in which the work is done at once: the twin of `leaky_contexts.py`.

leakhunt must say: nothing grows.
"""

import contextvars

from pace import requests

user = contextvars.ContextVar("user")
LATER = []


class User:
    def __init__(self, number):
        self.number = number


def handle(number):
    user.set(User(number))
    LATER.append(contextvars.copy_context())
    LATER.pop().run(user.get)


def serve(seconds):
    for number in requests(seconds):
        contextvars.copy_context().run(handle, number)

if __name__ == "__main__":
    serve(seconds=12)
