"""Of each thousand objects that a request makes one stays.

leakhunt must say: `Part` grows, held by `leaky_churn.PARTS`.
"""

from pace import requests

PARTS = []


class Part:
    def __init__(self, number):
        self.number = number


def handle(number):
    parts = [Part(number) for number in range(1_000)]
    PARTS.append(parts[number % 1_000])  # the leak: for a page that nobody opens


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
