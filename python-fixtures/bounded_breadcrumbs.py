"""The same crumbs, in a context of each request's own: the twin of `leaky_breadcrumbs.py`.

leakhunt must say: nothing grows.
"""

import contextvars
import time

breadcrumbs = contextvars.ContextVar("breadcrumbs")


class Crumb:
    def __init__(self, message):
        self.message = message


def handle(request):
    breadcrumbs.set([])
    breadcrumbs.get().append(Crumb("request %d" % request))


def serve(seconds):
    end = time.monotonic() + seconds
    request = 0
    while time.monotonic() < end:
        request += 1
        contextvars.copy_context().run(handle, request)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
