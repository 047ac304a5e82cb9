"""Tasks wait for a reply that never comes, in a set that only a finished task would leave.

leakhunt must say: `Request` grows, held by `leaky_tasks.PENDING`.
"""

import asyncio

PENDING = set()


class Request:
    def __init__(self, number):
        self.number = number
        self.reply = asyncio.get_running_loop().create_future()


async def ask(request):
    await request.reply  # the leak: no time limit
    return request.number


async def main(seconds):
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    number = 0
    while loop.time() < end:
        number += 1
        task = loop.create_task(ask(Request(number)))
        PENDING.add(task)
        task.add_done_callback(PENDING.discard)
        await asyncio.sleep(0.001)


def serve(seconds):
    asyncio.run(main(seconds))


if __name__ == "__main__":
    serve(seconds=12)
