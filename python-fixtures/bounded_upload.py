"""The same `bytearray`, written to a file in pieces: the twin of `leaky_upload.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

BODY = bytearray()


def receive(number):
    BODY.extend(b"x" * 10_000)
    if len(BODY) >= 50_000:
        BODY.clear()


def serve(seconds):
    for number in requests(seconds):
        receive(number)

if __name__ == "__main__":
    serve(seconds=12)
