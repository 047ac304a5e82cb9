"""The same attributes, deleted at the end of their request: the twin of `leaky_site.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Site:
    pass


class Session:
    def __init__(self, number):
        self.number = number


SITE = Site()


def handle(number):
    name = "session_%d" % number
    setattr(SITE, name, Session(number))
    delattr(SITE, name)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
