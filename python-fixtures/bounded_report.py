"""The same report with a cache on a function of plain values: the twin of `leaky_report.py`.

leakhunt must say: nothing grows once the cache is full.
"""

import functools
import time


@functools.lru_cache(maxsize=64)
def total(rows):
    return sum(rows)


class Report:
    def __init__(self, rows):
        self.rows = rows

    def total(self):
        return total(tuple(self.rows))


def serve(seconds):
    end = time.monotonic() + seconds
    n_reports = 0
    while time.monotonic() < end:
        n_reports += 1
        Report([n_reports, 1, 2]).total()
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
