"""An `array` of measured times: one object, whose bytes grow.

leakhunt must say: `array` grows, held by `leaky_samples.SAMPLES`.
"""

from array import array

from pace import requests

SAMPLES = array("d")


def measure(number):
    SAMPLES.extend([float(number)] * 1_000)  # the leak: a mean would do


def serve(seconds):
    for number in requests(seconds):
        measure(number)

if __name__ == "__main__":
    serve(seconds=12)
