"""The same tasks, which leave the set when they are done: the twin of `leaky_finished.py`.

leakhunt must say: nothing grows.
"""

import asyncio

from pace import requests_of_loop

STARTED = set()


async def answer(number):
    return "request %d" % number


async def main(seconds):
    loop = asyncio.get_running_loop()
    async for number in requests_of_loop(seconds):
        task = loop.create_task(answer(number))
        STARTED.add(task)
        task.add_done_callback(STARTED.discard)


def serve(seconds):
    asyncio.run(main(seconds))

if __name__ == "__main__":
    serve(seconds=12)
