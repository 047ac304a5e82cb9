"""One logger for all connections, which have adapters: the twin of `leaky_loggers.py`.

leakhunt must say: nothing grows.
"""

import logging

from pace import requests


def handle(number):
    log = logging.LoggerAdapter(logging.getLogger("connection"), {"connection": number})
    log.debug("request")


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
