"""A context variable holds a list that each request appends a `Crumb` to.

leakhunt must say: `Crumb` grows, held by `leaky_breadcrumbs.breadcrumbs.get()`.
"""

import contextvars
import time

breadcrumbs = contextvars.ContextVar("breadcrumbs")


class Crumb:
    def __init__(self, message):
        self.message = message


def handle(request):
    breadcrumbs.get().append(Crumb("request %d" % request))  # the leak: no request has its own


def serve(seconds):
    breadcrumbs.set([])
    end = time.monotonic() + seconds
    request = 0
    while time.monotonic() < end:
        request += 1
        handle(request)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
