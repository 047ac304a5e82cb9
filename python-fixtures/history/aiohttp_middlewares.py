"""An aiohttp server with one middleware, and a scanner that asks with a method that is not allowed.

In aiohttp 3.10.6 to 3.10.10 the chain of middlewares is made once for each handler by an `lru_cache`
without a limit. The handler of an error such as 405 is a new object for each request, so that all of them
stay. Since 3.10.11 errors go past the cache.
Reference: CVE-2024-52303, aio-libs/aiohttp advisory GHSA-27mf-ghqm-j3j8.

hunt must say: the `lru_cache` `aiohttp.web_app._build_middlewares` grows.
"""

import asyncio

from aiohttp import ClientSession, web


@web.middleware
async def measure(request, handler):
    return await handler(request)


async def page(request):
    return web.Response(text="hello")


async def main():
    app = web.Application(middlewares=[measure])
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as session:
        print("ready", flush=True)
        while True:
            async with session.put("http://127.0.0.1:%d/" % port) as answer:
                assert answer.status == 405
            await asyncio.sleep(0.02)


asyncio.run(main())
