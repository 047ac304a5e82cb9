"""Each request keeps a copy of its context, with a `User` in it.

leakhunt must say: `User` grows, held by `leaky_contexts.LATER`.
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
    LATER.append(contextvars.copy_context())  # the leak: what is for later is never done


def serve(seconds):
    for number in requests(seconds):
        contextvars.copy_context().run(handle, number)

if __name__ == "__main__":
    serve(seconds=12)
