"""A coroutine that waits for its next message has all before in a local variable.

leakhunt must say: `Message` grows, held by `coroutine consume() at line 19: local seen`.
"""

import asyncio

from pace import requests_of_loop


class Message:
    def __init__(self, number):
        self.number = number


async def consume(messages):
    seen = []
    while True:
        seen.append(await messages.get())  # the leak: a consumer has no end


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
