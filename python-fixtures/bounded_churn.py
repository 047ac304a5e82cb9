"""The same thousand objects, of which none stays: the twin of `leaky_churn.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

PARTS = [None]


class Part:
    def __init__(self, number):
        self.number = number


def handle(number):
    parts = [Part(number) for number in range(1_000)]
    PARTS[0] = parts[number % 1_000]


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
