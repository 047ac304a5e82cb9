"""Every request leaves a `Record` in the list `Audit.records`, an attribute of the class.

leakhunt must say: `Record` grows, held by `leaky_audit.Audit.records`.
"""

import time


class Record:
    def __init__(self, who, what):
        self.who = who
        self.what = what


class Audit:
    records = []  # the leak: one list for all, and nothing ever takes from it

    def note(self, who, what):
        self.records.append(Record(who, what))


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
