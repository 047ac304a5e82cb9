"""The same tasks, whose replies come: the twin of `leaky_tasks.py` that does not leak.

leakhunt must say: nothing grows.
"""

import asyncio

PENDING = set()


class Request:
    def __init__(self, number):
        self.number = number
        self.reply = asyncio.get_running_loop().create_future()


async def ask(request):
    await request.reply
    return request.number


async def main(seconds):
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        request = Request(len(PENDING))
        task = loop.create_task(ask(request))
        PENDING.add(task)
        task.add_done_callback(PENDING.discard)
        request.reply.set_result(None)
        await task
        await asyncio.sleep(0.001)


def serve(seconds):
    asyncio.run(main(seconds))


if __name__ == "__main__":
    serve(seconds=12)
