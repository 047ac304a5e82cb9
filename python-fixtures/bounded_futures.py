"""The same futures, whose results are taken: the twin of `leaky_futures.py`.

leakhunt must say: nothing grows.
"""

from concurrent.futures import ThreadPoolExecutor

from pace import requests

JOBS = []


class Result:
    def __init__(self, number):
        self.number = number


def serve(seconds):
    with ThreadPoolExecutor(max_workers=2) as pool:
        for number in requests(seconds):
            JOBS.append(pool.submit(Result, number))
            JOBS.pop().result()

if __name__ == "__main__":
    serve(seconds=12)
