"""A consumer that waits again and again for what comes first: the next message, or its shutdown.

Up to 0.53b0 opentelemetry-instrumentation-asyncio adds one more callback to a future each time that the
future goes through an instrumented function. A future that lives long, as one for the shutdown, collects
them. Since 0.54b0 a future is instrumented once.
Reference: open-telemetry/opentelemetry-python-contrib issue 3383, found with aiokafka.

hunt must say: the callbacks of the future `__main__.consumer.closing` grow.
"""

import asyncio

from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor


class Consumer:
    def __init__(self):
        self.closing = asyncio.get_running_loop().create_future()
        self.n_messages = 0

    async def poll(self):
        message = asyncio.create_task(asyncio.sleep(0.02))
        await asyncio.wait([self.closing, message], return_when=asyncio.FIRST_COMPLETED)
        self.n_messages += 1


async def main():
    global consumer
    consumer = Consumer()
    print("ready", flush=True)
    while not consumer.closing.done():
        await consumer.poll()


AsyncioInstrumentor().instrument()
asyncio.run(main())
