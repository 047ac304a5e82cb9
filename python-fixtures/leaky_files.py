"""Files that are opened by number, and nobody closes them.

leakhunt must say: descriptors grow, of `/dev/null`.
"""

import os

from pace import requests


def handle():
    return os.open(os.devnull, os.O_RDONLY)  # the leak: a number closes nothing when it goes


def serve(seconds):
    for _ in requests(seconds, per_second=20):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
