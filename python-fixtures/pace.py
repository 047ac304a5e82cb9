"""How fast the fixtures work: requests arrive at a steady rate until the time is over."""

import asyncio
import itertools
import time

# From where on each number is an object of its own: Python shares the small ones.
NUMBERS = itertools.count(10_000)


def requests(seconds, per_second=100):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield next(NUMBERS)
        time.sleep(1 / per_second)


async def requests_of_loop(seconds, per_second=100):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield next(NUMBERS)
        await asyncio.sleep(1 / per_second)
