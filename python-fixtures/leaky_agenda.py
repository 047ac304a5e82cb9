"""A heap of appointments, which are put off for ever.

leakhunt must say: `Appointment` grows, held by `leaky_agenda.AGENDA`.
"""

import heapq

from pace import requests

AGENDA = []


class Appointment:
    def __init__(self, number):
        self.number = number


def handle(number):
    heapq.heappush(AGENDA, (number + 1_000_000, Appointment(number)))  # the leak: too late
    while AGENDA[0][0] <= number:
        heapq.heappop(AGENDA)


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
