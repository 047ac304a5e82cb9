"""A web handler that opens an asyncio connection to Redis for each request and closes it.

In redis 4.5.4 the parser refers to hiredis' reader, and the reader, by a method, to the parser. The reader
of hiredis 2.2.2 does not tell the collector what it refers to, so that the cycle is never freed, and
neither is what hangs on it. Since redis 4.5.5 the method belongs to the class.
Reference: redis/redis-py issue 2693.

hunt must say: references to `HiredisParser` of redis are held outside Python, and grow.
"""

import asyncio

from redis.asyncio import Redis


async def answer(reader, writer):
    """Just enough of a Redis: an OK to each command."""
    try:
        while line := await reader.readline():
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                await reader.readexactly(size + 2)
            writer.write(b"+OK\r\n")
            await writer.drain()
    finally:
        writer.close()


async def handle(port, request):
    redis = Redis(host="127.0.0.1", port=port)
    assert await redis.set("visitor", request)
    await redis.close()


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    request = 0
    print("ready", flush=True)
    while True:
        request += 1
        await handle(port, request)
        await asyncio.sleep(0.02)


asyncio.run(main())
