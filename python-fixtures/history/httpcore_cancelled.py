"""A client that gives up on a slow server after some milliseconds, by anyio's `move_on_after`.

In httpcore up to 0.17.2 the second cancellation interrupts the clean-up of the first, and the request stays
in the list of the pool. Since 0.17.3 the clean-up is shielded.
Reference: encode/httpcore pull request 726.

hunt must say: the list `_requests` or `_pool` of `__main__.client.pool` grows.
"""

import asyncio

import anyio
import httpcore


class Client:
    def __init__(self, port):
        self.url = "http://127.0.0.1:%d/" % port
        self.pool = httpcore.AsyncConnectionPool(max_connections=100_000)

    async def ask(self):
        with anyio.move_on_after(0.02):
            await self.pool.request("GET", self.url)


async def never(reader, writer):
    """Hangs up without an answer when the client does, and at last by itself."""
    try:
        await asyncio.wait_for(reader.read(), timeout=0.5)
    except asyncio.TimeoutError:
        pass
    finally:
        writer.close()


async def main():
    global client
    server = await asyncio.start_server(never, "127.0.0.1", 0)
    client = Client(server.sockets[0].getsockname()[1])
    print("ready", flush=True)
    while True:
        await client.ask()
        await asyncio.sleep(0.01)


asyncio.run(main())
