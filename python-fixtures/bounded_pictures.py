"""The same native code, which gives its reference back: the twin of `leaky_pictures.py`.

leakhunt must say: nothing grows.
"""

import ctypes

from pace import requests


class Picture:
    def __init__(self, number):
        self.number = number


def decode(number):
    picture = ctypes.py_object(Picture(number))
    ctypes.pythonapi.Py_IncRef(picture)
    ctypes.pythonapi.Py_DecRef(picture)


def serve(seconds):
    for number in requests(seconds):
        decode(number)

if __name__ == "__main__":
    serve(seconds=12)
