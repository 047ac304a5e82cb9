"""An object is given an attribute for each session, under a name of its own.

leakhunt must say: `Session` grows, held by `leaky_site.SITE`.
"""

from pace import requests


class Site:
    pass


class Session:
    def __init__(self, number):
        self.number = number


SITE = Site()


def handle(number):
    setattr(SITE, "session_%d" % number, Session(number))  # the leak: no `delattr`


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
