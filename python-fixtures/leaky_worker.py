"""A thread that never ends keeps all rows in a local variable.

leakhunt must say: `Row` grows, held by `frame serve(): local rows`.
"""

from pace import requests


class Row:
    def __init__(self, number):
        self.number = number


def serve(seconds):
    rows = []
    for number in requests(seconds):
        rows.append(Row(number))  # the leak: the loop has no end at which they would go

if __name__ == "__main__":
    serve(seconds=12)
