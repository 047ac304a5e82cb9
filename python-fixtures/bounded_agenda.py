"""The same heap, whose appointments are due soon: the twin of `leaky_agenda.py`.

leakhunt must say: nothing grows.
"""

import heapq

from pace import requests

AGENDA = []


class Appointment:
    def __init__(self, number):
        self.number = number


def handle(number):
    heapq.heappush(AGENDA, (number + 5, Appointment(number)))
    while AGENDA[0][0] <= number:
        heapq.heappop(AGENDA)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
