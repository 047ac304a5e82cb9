"""The same handlers, removed at the end of their request: the twin of `leaky_handlers.py`.

leakhunt must say: nothing grows.
"""

import logging

from pace import requests

LOG = logging.getLogger("bounded_handlers")


def handle():
    handler = logging.NullHandler()
    LOG.addHandler(handler)
    LOG.debug("request")
    LOG.removeHandler(handler)


def serve(seconds):
    for _ in requests(seconds):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
