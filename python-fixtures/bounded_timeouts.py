"""The same time limits, called off when the request is done: the twin of `leaky_timeouts.py`.

leakhunt must say: nothing grows.
"""

import asyncio

from pace import requests_of_loop


class Session:
    def __init__(self, number):
        self.number = number

    def end(self):
        self.number = None


async def main(seconds):
    loop = asyncio.get_running_loop()
    async for number in requests_of_loop(seconds):
        limit = loop.call_later(0.1, Session(number).end)
        limit.cancel()


def serve(seconds):
    asyncio.run(main(seconds))

if __name__ == "__main__":
    serve(seconds=12)
