"""The same with the calls of late alone: the twin of `leaky_limits.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Call:
    def __init__(self, number):
        self.number = number


def limited(function):
    calls = []

    def count(number):
        calls.append(Call(number))
        del calls[:-20]
        return len(calls)

    def wrapper(number):
        count(number)
        return function(number)

    return wrapper


@limited
def handle(number):
    return number


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
