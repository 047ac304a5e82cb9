"""Each request sets a time limit of an hour and does not call it off.

leakhunt must say: `Session` grows, held by `asyncio loop._scheduled`.
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
        loop.call_later(3600, Session(number).end)  # the leak: its handle is thrown away


def serve(seconds):
    asyncio.run(main(seconds))

if __name__ == "__main__":
    serve(seconds=12)
