"""The same coroutine, which keeps the last message: the twin of `leaky_consumer.py`.

leakhunt must say: nothing grows.
"""

import asyncio

from pace import requests_of_loop


class Message:
    def __init__(self, number):
        self.number = number


async def consume(messages):
    seen = []
    while True:
        seen[:] = [await messages.get()]


async def main(seconds):
    messages = asyncio.Queue()
    consumer = asyncio.get_running_loop().create_task(consume(messages))
    async for number in requests_of_loop(seconds):
        await messages.put(Message(number))
    consumer.cancel()


def serve(seconds):
    asyncio.run(main(seconds))

if __name__ == "__main__":
    serve(seconds=12)
