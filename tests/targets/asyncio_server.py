"""An asyncio server whose own client never stops asking."""
import asyncio


async def serve_one(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            break
        writer.write(line.upper())
        await writer.drain()


async def ask(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    is_first = True
    while True:
        writer.write(b"question\n")
        assert await reader.readline() == b"QUESTION\n"
        if is_first:
            say({"ready": os.getpid()})
        is_first = False
        await asyncio.sleep(0.001)


def on_request():
    try:
        poll()
    except SystemExit:
        os._exit(EXIT_CODE)


async def main():
    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    asyncio.get_running_loop().add_reader(0, on_request)
    await ask(server.sockets[0].getsockname()[1])


asyncio.run(main())
