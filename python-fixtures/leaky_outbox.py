"""The list that a `functools.partial` binds keeps each `Mail`.

leakhunt must say: `Mail` grows, held by `leaky_outbox.POST.args[0]`.
"""

import functools

from pace import requests


class Mail:
    def __init__(self, number):
        self.number = number


def post(outbox, mail):
    outbox.append(mail)  # the leak: nobody empties the outbox


POST = functools.partial(post, [])


def serve(seconds):
    for number in requests(seconds):
        POST(Mail(number))

if __name__ == "__main__":
    serve(seconds=12)
