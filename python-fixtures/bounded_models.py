"""The same classes, which only `__subclasses__` knows of: the twin of `leaky_models.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Model:
    n_models = 0

    def __init_subclass__(cls):
        Model.n_models += 1


def handle(number):
    return type("Model%d" % number, (Model,), {"number": number})()


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
