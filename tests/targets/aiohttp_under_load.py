"""An aiohttp server that keeps a part of each request, and a client that never stops asking."""
import asyncio

import aiohttp
from aiohttp import web

n_answers = n_failed = 0
kept = []


class KeptRequest:
    def __init__(self, path):
        self.path = path


async def handle(request):
    kept.append(KeptRequest(request.path))
    return web.json_response({"n": len(kept)})


async def ask(session, url):
    global n_answers, n_failed
    while True:
        try:
            async with session.get(url) as answer:
                n_failed += answer.status != 200 or "n" not in await answer.json()
        except aiohttp.ClientError:
            n_failed += 1
        n_answers += 1


def on_request():
    try:
        poll()
    except SystemExit:
        os._exit(EXIT_CODE)


async def main():
    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        asyncio.get_running_loop().add_reader(0, on_request)
        clients = [asyncio.ensure_future(ask(session, "http://127.0.0.1:%d/%d" % (port, n))) for n in range(4)]
        while n_answers < 20:
            await asyncio.sleep(0.001)
        say({"ready": os.getpid()})
        await asyncio.gather(*clients)


asyncio.run(main())
