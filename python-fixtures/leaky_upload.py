"""A `bytearray` takes in what is uploaded: one object, whose bytes grow.

leakhunt must say: `bytearray` grows, held by `leaky_upload.BODY`.
"""

from pace import requests

BODY = bytearray()


def receive(number):
    BODY.extend(b"x" * 10_000)  # the leak: nobody writes it to a file


def serve(seconds):
    for number in requests(seconds):
        receive(number)

if __name__ == "__main__":
    serve(seconds=12)
