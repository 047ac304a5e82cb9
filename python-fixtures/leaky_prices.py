"""A cache by article and hour: it fills for ever.

leakhunt must say: `Price` grows, held by `leaky_prices.PRICES`.
"""

from pace import requests

PRICES = {}


class Price:
    def __init__(self, article):
        self.article = article


def price(number):
    key = number % 300, number // 300
    if key not in PRICES:
        PRICES[key] = Price(number)  # the leak: hours pass
    return PRICES[key]


def serve(seconds):
    for number in requests(seconds):
        price(number)

if __name__ == "__main__":
    serve(seconds=12)
