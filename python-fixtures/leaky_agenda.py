"""A heap of appointments, which are put off for ever.

leakhunt must say: `Appointment` grows, held by `leaky_agenda.AGENDA`.
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
    due = number + 1_000_000  # the leak: nobody comes that late
    heapq.heappush(AGENDA, (due, next(ORDER), Appointment(number)))
    while AGENDA[0][0] <= number:
        heapq.heappop(AGENDA)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
