"""The same errors, of which the last five texts are kept: the twin of `leaky_errors.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

ERRORS = []


class Order:
    def __init__(self, number):
        self.number = number


def pay(order):
    raise ValueError(order.number)


def handle(number):
    order = Order(number)
    try:
        pay(order)
    except ValueError as error:
        ERRORS[:] = ERRORS[-4:] + [str(error)]


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
