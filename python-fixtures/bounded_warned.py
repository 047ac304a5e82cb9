"""The same warning with one text: the twin of `leaky_warned.py`.

leakhunt must say: nothing grows.
"""

import warnings

from pace import requests


def quietly(*warning):
    pass


def handle(number):
    warnings.warn("a request is slow")


def serve(seconds):
    warnings.showwarning = quietly
    warnings.simplefilter("default")
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
