"""The same heap, whose appointments are due soon: the twin of `leaky_agenda.py`.

leakhunt must say: nothing grows.
"""

import heapq
import itertools

from pace import requests

AGENDA = []
ORDER = itertools.count()


class Appointment:
    def __init__(self, number):
        self.number = number


def handle(number):
    due = number + 5
    heapq.heappush(AGENDA, (due, next(ORDER), Appointment(number)))
    while AGENDA[0][0] <= number:
        heapq.heappop(AGENDA)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
