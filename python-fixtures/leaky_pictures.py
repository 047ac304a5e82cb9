"""Native code takes a reference to each `Picture` and does not give it back.

leakhunt must say: `Picture` grows, held by native code.
"""

import ctypes

from pace import requests


class Picture:
    def __init__(self, number):
        self.number = number


def decode(number):
    picture = ctypes.py_object(Picture(number))
    ctypes.pythonapi.Py_IncRef(picture)  # the leak: no `Py_DecRef`


def serve(seconds):
    for number in requests(seconds):
        decode(number)

if __name__ == "__main__":
    serve(seconds=12)
