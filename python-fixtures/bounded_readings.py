"""The same list of the last 20 numbers: the twin of `leaky_readings.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

READINGS = []


def measure(number):
    READINGS.append(number * 0.1)
    del READINGS[:-20]


def serve(seconds):
    for number in requests(seconds):
        measure(number)

if __name__ == "__main__":
    serve(seconds=12)
