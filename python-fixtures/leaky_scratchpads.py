"""A library in C that takes memory for each request, which nobody gives back.

leakhunt must say: memory beside Python's objects grows.
"""

import ctypes

from pace import requests

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
SIZE = 32_768


def render(number):
    scratchpad = ctypes.c_void_p(LIBC.malloc(ctypes.c_size_t(SIZE)))
    LIBC.memset(scratchpad, number % 256, ctypes.c_size_t(SIZE))  # the leak: no `free`


def serve(seconds):
    for number in requests(seconds):
        render(number)

if __name__ == "__main__":
    serve(seconds=12)
