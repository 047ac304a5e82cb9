"""The same callbacks, called and done with: the twin of `leaky_callbacks.py`.

leakhunt must say: nothing grows.
"""

import functools

from pace import requests

CALLBACKS = []


class Message:
    def __init__(self, number):
        self.number = number


def send(message):
    return message.number


def handle(number):
    CALLBACKS.append(functools.partial(send, Message(number)))
    while CALLBACKS:
        CALLBACKS.pop()()


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
