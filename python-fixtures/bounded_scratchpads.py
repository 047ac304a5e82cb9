"""The same library, whose memory is given back: the twin of `leaky_scratchpads.py`.

leakhunt must say: nothing grows.
"""

import ctypes

from pace import requests

LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
SIZE = 32_768


def render(number):
    scratchpad = ctypes.c_void_p(LIBC.malloc(ctypes.c_size_t(SIZE)))
    LIBC.memset(scratchpad, number % 256, ctypes.c_size_t(SIZE))
    LIBC.free(scratchpad)


def serve(seconds):
    for number in requests(seconds):
        render(number)

if __name__ == "__main__":
    serve(seconds=12)
