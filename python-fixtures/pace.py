"""How fast the fixtures work: requests arrive at a steady rate until the time is over."""

import asyncio
import time


def requests(seconds, per_second=100):
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        yield number
        time.sleep(1 / per_second)


async def requests_of_loop(seconds, per_second=100):
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        yield number
        await asyncio.sleep(1 / per_second)
