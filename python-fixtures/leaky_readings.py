"""A list of plain numbers: no class of the program has a part in it.

leakhunt must say: `float` grows, held by `leaky_readings.READINGS`.
"""

from pace import requests

READINGS = []


def measure(number):
    READINGS.append(number * 0.1)  # the leak: only the last are shown


def serve(seconds):
    for number in requests(seconds):
        measure(number)

if __name__ == "__main__":
    serve(seconds=12)
