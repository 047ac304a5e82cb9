"""The same thread, which keeps the rows of its last ten rounds: the twin of `leaky_worker.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Row:
    def __init__(self, number):
        self.number = number


def serve(seconds):
    rows = []
    for number in requests(seconds):
        rows.append(Row(number))
        del rows[:-10]

if __name__ == "__main__":
    serve(seconds=12)
