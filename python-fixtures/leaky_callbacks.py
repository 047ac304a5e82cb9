"""Each request leaves a `functools.partial` with its `Message` in a list of callbacks.

leakhunt must say: `Message` grows, held by `leaky_callbacks.CALLBACKS`.
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
    CALLBACKS.append(functools.partial(send, Message(number)))  # the leak: none is ever called


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
