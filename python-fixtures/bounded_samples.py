"""The same `array` of the last times: the twin of `leaky_samples.py`.

leakhunt must say: nothing grows.
"""

from array import array

from pace import requests

SAMPLES = array("d")


def measure(number):
    SAMPLES.extend([float(number)] * 1_000)
    del SAMPLES[:-5_000]


def serve(seconds):
    for number in requests(seconds):
        measure(number)

if __name__ == "__main__":
    serve(seconds=12)
