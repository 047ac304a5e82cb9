"""A text that is appended to: each time another object, and longer.

leakhunt must say: `str` grows, held by `leaky_transcript.TEXT`.
"""

from pace import requests

TEXT = ""


def handle(number):
    global TEXT
    TEXT += "request %d\n" % number * 500  # the leak: nobody starts a new one


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
