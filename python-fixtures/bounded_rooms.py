"""The same guests, who all go, ten at a time: the twin of `leaky_rooms.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

ROOMS = {}


class Guest:
    def __init__(self, number):
        self.number = number


def handle(number):
    ROOMS[number] = Guest(number)
    if number % 10 == 0:
        for guest in list(ROOMS):
            del ROOMS[guest]


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
