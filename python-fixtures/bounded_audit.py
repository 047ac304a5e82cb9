"""The same audit that writes its list out when it is long: the twin of `leaky_audit.py`.

leakhunt must say: nothing grows.
"""

import time


class Record:
    def __init__(self, who, what):
        self.who = who
        self.what = what


class Audit:
    records = []

    def note(self, who, what):
        self.records[:] = self.records[-49:] + [Record(who, what)]


def handle(request):
    Audit().note("visitor-%d" % request, "GET /")


def serve(seconds):
    end = time.monotonic() + seconds
    request = 0
    while time.monotonic() < end:
        request += 1
        handle(request)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
