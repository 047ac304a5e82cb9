"""Closed sessions of clients of the network, kept in a list, and their open twins. See `inspected`."""
import asyncio

import aiohttp
import httpx
import urllib3

KEPT = []
CASES = {}
LEAKING, UNKNOWN = "leaking", "unknown"


def case(name, verdict, reason, thing):
    KEPT.append(thing)
    CASES[name] = [id(thing), verdict, reason]


async def of_aiohttp():
    for name, is_closed in (("closed", True), ("open", False)):
        session = aiohttp.ClientSession()
        connector = session.connector
        if is_closed:
            await session.close()
        for kind, reason, thing in (
            ("session", "closed client session", session),
            ("connector", "closed connector", connector),
        ):
            expected = (LEAKING, reason) if is_closed else (UNKNOWN, "")
            case("%s aiohttp %s" % (name, kind), *expected, thing)


def of_httpx():
    for client in (httpx.Client, httpx.AsyncClient):
        name = client.__name__
        closed = client()
        if client is httpx.Client:
            closed.close()
        else:
            asyncio.new_event_loop().run_until_complete(closed.aclose())
        case("closed " + name, LEAKING, "closed client", closed)
        case("open " + name, UNKNOWN, "", client())


def of_urllib3():
    closed = urllib3.HTTPConnectionPool("localhost")
    closed.close()
    case("closed pool", LEAKING, "closed connection pool", closed)
    case("open pool", UNKNOWN, "", urllib3.HTTPSConnectionPool("localhost"))


asyncio.new_event_loop().run_until_complete(of_aiohttp())
of_httpx()
of_urllib3()
serve()
