"""The same jobs, of which there are never more than five: the twin of `leaky_backlog.py`.

leakhunt must say: nothing grows.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from pace import requests

POOL = ThreadPoolExecutor(max_workers=1)
ROOM = threading.BoundedSemaphore(5)


class Job:
    def __init__(self, number):
        self.number = number


def work(job):
    time.sleep(0.01)
    ROOM.release()


def serve(seconds):
    for number in requests(seconds):
        ROOM.acquire()
        POOL.submit(work, Job(number))

if __name__ == "__main__":
    serve(seconds=12)
