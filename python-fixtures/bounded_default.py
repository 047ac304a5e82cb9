"""The same function, which makes a list for each call: the twin of `leaky_default.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Row:
    def __init__(self, number):
        self.number = number


def collect(number, rows=None):
    rows = [] if rows is None else rows
    rows.append(Row(number))
    return len(rows)


def serve(seconds):
    for number in requests(seconds):
        collect(number)

if __name__ == "__main__":
    serve(seconds=12)
