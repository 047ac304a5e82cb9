"""Extension types of well-known packages: alive, and busy in threads, while leakhunt looks.

`loaded` names the packages that could be imported, `n_rounds` counts the work, `n_failed` what failed.
"""
import time
import traceback

loaded = []
kept = {}
n_rounds = {}
n_failed = 0
failures = []


def numpy_work(n):
    import numpy

    held = kept.setdefault("numpy", [numpy.empty(3, dtype=object) for _ in range(20)])
    held[n % 20] = numpy.array([{"n": n}, [n], numpy.arange(1000.0)], dtype=object)
    return (numpy.random.rand(60, 60) @ numpy.random.rand(60, 60)).sum() > 0


def pandas_work(n):
    import pandas

    frame = pandas.DataFrame({"n": range(50), "s": list("ab" * 25), "o": [[n]] * 50})
    kept.setdefault("pandas", {})[n % 10] = frame.groupby("s").n.sum()
    kept["frame"] = frame.set_index("n")
    return len(frame) == 50


def lxml_work(n):
    from lxml import etree

    tree = etree.fromstring("<a>%s</a>" % ("<b c='d'>e</b>" * 50))
    kept.setdefault("lxml", {})[n % 10] = [tree, tree[0], tree.xpath("//b")]
    return len(tree) == 50


def pydantic_work(n):
    import pydantic

    if "model" not in kept:
        kept["model"] = pydantic.create_model("Row", name=(str, ...), tags=(list, []))
    kept.setdefault("pydantic", {})[n % 20] = kept["model"](name=str(n), tags=[n])
    return kept["model"].model_validate_json('{"name": "x"}').name == "x"


def sqlalchemy_work(n):
    import sqlalchemy

    if "engine" not in kept:
        pool = sqlalchemy.pool.StaticPool
        options = {"check_same_thread": False}
        kept["engine"] = sqlalchemy.create_engine("sqlite://", poolclass=pool, connect_args=options)
    with kept["engine"].connect() as connection:
        rows = connection.execute(sqlalchemy.text("select %d as n" % n)).fetchall()
    kept.setdefault("sqlalchemy", {})[n % 20] = rows
    return rows[0].n == n


def cryptography_work(n):
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives import hashes

    key = kept.setdefault("fernet", Fernet(Fernet.generate_key()))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"x" * n)
    kept.setdefault("cryptography", {})[n % 10] = digest
    return key.decrypt(key.encrypt(b"text")) == b"text"


def gevent_work(n):
    import gevent

    done = [gevent.spawn(lambda m=m: [gevent.sleep(0), m]) for m in range(5)]
    gevent.joinall(done)
    kept.setdefault("gevent", {})[n % 10] = done
    return done[3].value[1] == 3


def protobuf_work(n):
    from google.protobuf import descriptor_pb2, struct_pb2

    message = struct_pb2.Struct()
    message.update({"n": n, "list": [1, "two"], "map": {"a": None}})
    kept.setdefault("protobuf", {})[n % 20] = [message, message.fields["n"], descriptor_pb2.DescriptorProto()]
    return struct_pb2.Struct.FromString(message.SerializeToString())["n"] == n


def aiohttp_work(n):
    import asyncio

    import aiohttp
    from aiohttp import web

    async def handle(request):
        return web.json_response({"path": request.path})

    async def run():
        app = web.Application()
        app.router.add_get("/{tail:.*}", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession() as session:
            kept["session"] = session
            for m in range(20):
                async with session.get("http://127.0.0.1:%d/%d" % (port, m)) as answer:
                    assert (await answer.json())["path"] == "/%d" % m
        await runner.cleanup()

    asyncio.run(run())
    return True


def known_types():
    """For each package that is loaded, the type of something that is kept of it."""
    of = {
        "numpy": lambda: kept["numpy"][0],
        "pandas": lambda: kept["frame"],
        "lxml": lambda: list(kept["lxml"].values())[0][0],
        "pydantic": lambda: list(kept["pydantic"].values())[0],
        "sqlalchemy": lambda: list(kept["sqlalchemy"].values())[0][0],
        "cryptography": lambda: kept["fernet"],
        "protobuf": lambda: list(kept["protobuf"].values())[0][0],
        "aiohttp": lambda: kept["session"],
        "gevent": lambda: list(kept["gevent"].values())[0][0],
    }
    kinds = [type(of[name]()) for name in loaded]
    return ["%s.%s" % (kind.__module__, kind.__qualname__) for kind in kinds]


WORK = [numpy_work, pandas_work, lxml_work, pydantic_work, sqlalchemy_work]
WORK += [cryptography_work, protobuf_work, aiohttp_work, gevent_work]


def work_on(work, name):
    global n_failed
    number = 1
    while True:
        try:
            n_failed += not work(number)
            n_rounds[name] = number
        except Exception:
            n_failed += 1
            failures.append(traceback.format_exc(limit=-1))
        number += 1
        time.sleep(0.002)


for work in WORK:
    name = work.__name__[: -len("_work")]
    try:
        work(0)
    except ImportError as error:
        failures.append("%s: %s" % (name, error))
        continue
    loaded.append(name)
    n_rounds[name] = 0
    threading.Thread(target=work_on, args=(work, name), name=name, daemon=True).start()
missing, failures = failures, []
serve()
