"""The same with the last error alone: the twin of `leaky_retries.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Client:
    last_error = None

    def fail(self, number):
        self.last_error = KeyError(number)


CLIENT = Client()


def handle(number):
    CLIENT.fail(number)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
