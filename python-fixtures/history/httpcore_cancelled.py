"""A client whose users go away while the server still thinks: each request is cancelled once it was sent.

In httpcore up to 0.17.2 anyio's next cancellation interrupts the clean-up after the first, and request and
connection stay in the lists of the pool. Since 0.17.3 the clean-up is shielded.
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
        with anyio.CancelScope() as self.user:
            await self.pool.request("GET", self.url)


async def think(reader, writer):
    """Reads a request, whose user goes away then, and hangs up when the client does, or at last by itself."""
    await reader.readuntil(b"\r\n\r\n")
    client.user.cancel()
    try:
        await asyncio.wait_for(reader.read(), timeout=0.5)
    except asyncio.TimeoutError:
        pass
    finally:
        writer.close()


async def main():
    global client
    server = await asyncio.start_server(think, "127.0.0.1", 0)
    client = Client(server.sockets[0].getsockname()[1])
    print("ready", flush=True)
    while True:
        await client.ask()
        await asyncio.sleep(0.03)


asyncio.run(main())
