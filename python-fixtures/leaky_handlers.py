"""Each request adds a handler to the same logger.

leakhunt must say: `NullHandler` grows, held by `leaky_handlers.LOG.handlers`.
"""

import logging

from pace import requests

LOG = logging.getLogger("leaky_handlers")


def handle():
    LOG.addHandler(logging.NullHandler())  # the leak: once would be enough
    LOG.debug("request")


def serve(seconds):
    for _ in requests(seconds):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
