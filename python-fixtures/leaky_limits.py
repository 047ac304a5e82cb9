"""A decorator's inner function counts calls in a variable of its own closure, and is itself in one.

leakhunt must say: `Call` grows, held by `cell 'calls' of leaky_limits.limited.<locals>.count()` or, up to
3.10, `cell 'calls' of leaky_limits.count()`.
"""

from pace import requests


class Call:
    def __init__(self, number):
        self.number = number


def limited(function):
    calls = []

    def count(number):
        calls.append(Call(number))  # the leak
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
