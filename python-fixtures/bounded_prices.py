"""The same cache by article alone: it fills for three seconds. The twin of `leaky_prices.py`.

leakhunt must say: nothing grows once the cache is full.
"""

from pace import requests

PRICES = {}


class Price:
    def __init__(self, article):
        self.article = article


def price(number):
    key = number % 300
    if key not in PRICES:
        PRICES[key] = Price(number)
    return PRICES[key]


def serve(seconds):
    for number in requests(seconds):
        price(number)

if __name__ == "__main__":
    serve(seconds=12)
