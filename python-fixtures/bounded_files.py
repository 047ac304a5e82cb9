"""The same files, closed: the twin of `leaky_files.py`.

leakhunt must say: nothing grows.
"""

import os

from pace import requests


def handle():
    descriptor = os.open(os.devnull, os.O_RDONLY)
    os.close(descriptor)


def serve(seconds):
    for _ in requests(seconds, per_second=20):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
