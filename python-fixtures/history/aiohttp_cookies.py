"""A crawler: one aiohttp session with one cookie, and a new path for each request.

In aiohttp up to 3.12.2 looking up the cookies for a request leaves an empty entry in the jar's
`defaultdict` for each part of the path. Since 3.12.4 it looks before it asks.
Reference: aio-libs/aiohttp issue 11052.

hunt must say: `_cookies` or `_morsel_cache` of the cookie jar of `__main__.crawler.session` grows.
"""

import asyncio

from aiohttp import ClientSession, CookieJar, web


class Crawler:
    def __init__(self, port):
        self.base = "http://127.0.0.1:%d" % port
        self.session = ClientSession(cookie_jar=CookieJar(unsafe=True), cookies={"consent": "no"})

    async def fetch(self, number):
        async with self.session.get("%s/item/%d" % (self.base, number)) as answer:
            assert answer.status == 200
            await answer.read()


async def item(request):
    return web.Response(text="item " + request.match_info["number"])


async def main():
    global crawler
    app = web.Application()
    app.router.add_get("/item/{number}", item)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    crawler = Crawler(runner.addresses[0][1])
    number = 0
    print("ready", flush=True)
    while True:
        number += 1
        await crawler.fetch(number)
        await asyncio.sleep(0.02)


asyncio.run(main())
