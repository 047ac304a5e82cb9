"""Jobs come in faster than the one thread of a pool can do them.

leakhunt must say: `Job` grows, held by `leaky_backlog.POOL._work_queue`.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from pace import requests

POOL = ThreadPoolExecutor(max_workers=1)


class Job:
    def __init__(self, number):
        self.number = number


def work(job):
    time.sleep(0.1)


def serve(seconds):
    for number in requests(seconds):
        POOL.submit(work, Job(number))  # the leak: nothing stops the requests

if __name__ == "__main__":
    serve(seconds=12)
