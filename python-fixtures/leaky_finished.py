"""A list keeps the tasks that it started, also when they are done.

leakhunt must say: `Task` grows, held by `leaky_finished.STARTED`.
"""

import asyncio

from pace import requests_of_loop

STARTED = []


async def answer(number):
    return "request %d" % number


async def main(seconds):
    loop = asyncio.get_running_loop()
    async for number in requests_of_loop(seconds):
        STARTED.append(loop.create_task(answer(number)))  # the leak: it was to keep running ones


def serve(seconds):
    asyncio.run(main(seconds))

if __name__ == "__main__":
    serve(seconds=12)
