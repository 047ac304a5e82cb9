"""An unbounded `lru_cache` on a method keeps each `Report` that it was called on.

leakhunt must say: `Report` grows, held by `leaky_report.Report.total cache`.
"""

import functools
import time


class Report:
    def __init__(self, rows):
        self.rows = rows

    @functools.lru_cache(maxsize=None)  # the leak: `self` is a part of the key
    def total(self):
        return sum(self.rows)


def serve(seconds):
    end = time.monotonic() + seconds
    n_reports = 0
    while time.monotonic() < end:
        n_reports += 1
        Report([n_reports, 1, 2]).total()
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
