"""The same generator, for the mean of the last ten: the twin of `leaky_mean.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Value:
    def __init__(self, number):
        self.number = number


def mean():
    values = []
    while True:
        n_values = max(1, len(values))
        values.append((yield sum(value.number for value in values) / n_values))
        del values[:-10]


MEAN = mean()
next(MEAN)


def serve(seconds):
    for number in requests(seconds):
        MEAN.send(Value(number))

if __name__ == "__main__":
    serve(seconds=12)
