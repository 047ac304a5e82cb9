"""The same text, cut to its end: the twin of `leaky_transcript.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

TEXT = ""


def handle(number):
    global TEXT
    TEXT += "request %d\n" % number * 500
    TEXT = TEXT[-20_000:]


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
