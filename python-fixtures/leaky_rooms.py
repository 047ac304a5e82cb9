"""Guests come and go in turns, and one in ten does not go.

leakhunt must say: `Guest` grows, held by `leaky_rooms.ROOMS`.
"""

from pace import requests

ROOMS = {}


class Guest:
    def __init__(self, number):
        self.number = number


def handle(number):
    ROOMS[number] = Guest(number)
    if number % 10:  # the leak: each tenth stays
        del ROOMS[number]


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
