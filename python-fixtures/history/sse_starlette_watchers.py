"""A server that streams events: each request gets a short stream and hangs up.

sse-starlette 3.1.0 and 3.1.1 keep the event of the shutdown in a context variable and start a task that
watches for it where there is none. Each request has a context of its own, so that each leaves such a task
behind, which sleeps and wakes until the server ends. Since 3.1.2 there is one for each thread.
Reference: sysid/sse-starlette issue 152.

hunt must say: tasks of the coroutine `_shutdown_watcher` of sse_starlette grow.
"""

import asyncio

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route


async def events(request):
    async def ticks():
        for number in range(3):
            yield {"data": number}

    return EventSourceResponse(ticks())


app = Starlette(routes=[Route("/events", events)])


async def request():
    """One request, as an ASGI server makes it: in a task, and thereby a context, of its own."""
    gone = asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.body" and not message.get("more_body"):
            gone.set()

    scope = {"type": "http", "method": "GET", "path": "/events", "headers": [], "query_string": b""}
    await app(scope, receive, send)


async def main():
    print("ready", flush=True)
    while True:
        await asyncio.create_task(request())
        await asyncio.sleep(0.02)


asyncio.run(main())
