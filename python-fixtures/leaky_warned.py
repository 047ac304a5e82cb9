"""A warning whose text is never the same: `warnings` notes each in the module it is about.

leakhunt must say: `tuple` grows, held by `leaky_warned.__warningregistry__`.
"""

import warnings

from pace import requests


def quietly(*warning):
    pass


def handle(number):
    warnings.warn("request %d is slow" % number)  # the leak: each text is another warning


def serve(seconds):
    warnings.showwarning = quietly
    warnings.simplefilter("default")
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
