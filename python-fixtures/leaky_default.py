"""A default argument that is a list: one for all calls, made when the function was.

leakhunt must say: `Row` grows, held by `default argument 'rows' of leaky_default.collect()`.
"""

from pace import requests


class Row:
    def __init__(self, number):
        self.number = number


def collect(number, rows=[]):
    rows.append(Row(number))  # the leak: no call begins with an empty list
    return len(rows)


def serve(seconds):
    for number in requests(seconds):
        collect(number)

if __name__ == "__main__":
    serve(seconds=12)
