"""Errors are kept for a report, and with each its traceback, its frames and their `Order`.

leakhunt must say: `Order` grows, held by `leaky_errors.ERRORS`.
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
        ERRORS.append(error)  # the leak: its text would do


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
