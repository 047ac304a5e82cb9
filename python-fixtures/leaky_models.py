"""A class is made for each request, and the registry of its base keeps it.

leakhunt must say: `type` grows, held by `leaky_models.Model.registry`.
"""

from pace import requests


class Model:
    registry = []

    def __init_subclass__(cls):
        cls.registry.append(cls)  # the leak: these classes were meant for one request


def handle(number):
    return type("Model%d" % number, (Model,), {"number": number})()


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
