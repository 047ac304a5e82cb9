"""A logger for each connection, which `logging` keeps by its name.

leakhunt must say: `Logger` grows, held by `logging.Logger.manager.loggerDict`.
"""

import logging

from pace import requests


def handle(number):
    log = logging.getLogger("connection-%d" % number)  # the leak: a logger is never forgotten
    log.debug("request")


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
