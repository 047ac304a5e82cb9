"""Each error has the one before as its context, so that the last keeps all.

leakhunt must say: `KeyError` grows, held by `leaky_retries.CLIENT.last_error`.
"""

from pace import requests


class Client:
    last_error = None

    def fail(self, number):
        error = KeyError(number)
        error.__context__ = self.last_error  # the leak
        self.last_error = error


CLIENT = Client()


def handle(number):
    CLIENT.fail(number)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
