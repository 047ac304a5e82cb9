"""A list keeps the futures of all jobs, and with them the results.

leakhunt must say: `Future` grows, held by `leaky_futures.JOBS`.
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
            JOBS.append(pool.submit(Result, number))  # the leak: nobody takes the results

if __name__ == "__main__":
    serve(seconds=12)
