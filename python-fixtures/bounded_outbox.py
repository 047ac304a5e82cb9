"""The same outbox, emptied when it holds ten: the twin of `leaky_outbox.py`.

leakhunt must say: nothing grows.
"""

import functools

from pace import requests


class Mail:
    def __init__(self, number):
        self.number = number


def post(outbox, mail):
    outbox.append(mail)
    if len(outbox) >= 10:
        outbox.clear()


POST = functools.partial(post, [])


def serve(seconds):
    for number in requests(seconds):
        POST(Mail(number))

if __name__ == "__main__":
    serve(seconds=12)
