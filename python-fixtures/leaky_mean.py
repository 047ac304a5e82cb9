"""A generator keeps all values that it was ever sent in a local variable.

leakhunt must say: `Value` grows, held by `generator mean() at line 18: local values`.
"""

from pace import requests


class Value:
    def __init__(self, number):
        self.number = number


def mean():
    values = []
    while True:
        n_values = max(1, len(values))
        values.append((yield sum(value.number for value in values) / n_values))  # the leak


MEAN = mean()
next(MEAN)


def serve(seconds):
    for number in requests(seconds):
        MEAN.send(Value(number))

if __name__ == "__main__":
    serve(seconds=12)
