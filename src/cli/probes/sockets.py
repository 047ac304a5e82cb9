"""What a socket, or what stands for one, tells of itself.

Methods and attributes are those of CPython's and uvloop's own classes, whatever a subclass of the
target makes of them.
"""
Socket = module("_socket").socket if module("_socket") else ()


def of_module(name, attribute):
    """A class of a module, if that is loaded; nothing is an instance of the empty tuple."""
    return getattr(module(name), attribute, ())


BaseTransport = of_module("asyncio.transports", "BaseTransport")
TransportSocket = of_module("asyncio.trsock", "TransportSocket")
Server = of_module("asyncio.base_events", "Server")
SSLObject = of_module("ssl", "SSLObject")
SSLSocket = of_module("ssl", "SSLSocket")
PythonSocket = of_module("socket", "socket")
UvTransport = of_module("uvloop.loop", "UVBaseTransport")
UvServer = of_module("uvloop.loop", "Server")
UvTls = of_module("uvloop.loop", "SSLProtocol")
Protocol = of_module("asyncio.protocols", "BaseProtocol")


def is_a(thing, kind):
    """As `isinstance`, but without asking the object, which may lie or hang."""
    return any(one is kind for one in type.__dict__["__mro__"].__get__(type(thing)))


def own(thing, name):
    """An attribute of an object, past its `__getattribute__`; None where there is none."""
    try:
        return object.__getattribute__(thing, name)
    except Exception:
        return None


def type_name(thing):
    kind = type(thing)
    names = (type.__dict__[name].__get__(kind) for name in ("__module__", "__qualname__"))
    return short("%s.%s" % tuple(names), 300)


def or_none(call, *args):
    try:
        return call(*args)
    except Exception:
        return None


def endpoint(address):
    """An address that asyncio remembers, as `ss` writes it; None for the address of nothing."""
    if type(address) is tuple and len(address) in (2, 4) and type(address[0]) is str:
        host, port = address[:2]
        return short(("[%s]:%s" if len(address) == 4 else "%s:%s") % (host, text_of(port, 20)))
    if type(address) is bytes:
        name = address.decode("utf-8", "replace")
        return short("@" + name[1:].replace("\0", "@") if name.startswith("\0") else name) or None
    if type(address) is str:
        return short(address) or None
    return None


def of_socket(sock):
    row = {
        "role": "socket",
        "fd": Socket.fileno(sock),
        "family": Socket.family.__get__(sock),
        "type": Socket.type.__get__(sock),
        "protocol": Socket.proto.__get__(sock),
    }
    if is_a(sock, PythonSocket):
        row["is_closed"] = or_none(PythonSocket._closed.__get__, sock) is True
        row["n_files"] = or_none(PythonSocket._io_refs.__get__, sock)
    return row


def of_tls(holder):
    """What the TLS session of an SSLSocket or SSLObject says; it may be the session's lock that is waited
    for, so that this comes last."""
    session = own(holder, "_sslobj")
    if session is None or type(session).__module__ != "_ssl":
        return None
    version = or_none(session.version)
    name = or_none(lambda: session.server_hostname)
    return {"tls": version or "no handshake", "server_name": name and short(name)}


def buffered(transport):
    """Bytes that wait in a transport of asyncio; None where it has no such buffer."""
    buffer = own(transport, "_buffer")
    if type(buffer) in (bytes, bytearray):
        return len(buffer)
    if type(buffer).__name__ != "deque":
        return None
    parts = (part[0] if type(part) is tuple else part for part in buffer)
    return sum(len(part) for part in parts if type(part) in (bytes, bytearray, memoryview))


def of_transport(transport):
    extra = own(transport, "_extra")
    extra = extra if type(extra) is dict else {}
    tls = own(transport, "_ssl_protocol")
    protocol = own(transport, "_protocol")
    if protocol is None and tls is not None:
        protocol = own(tls, "_app_protocol")
    inner = [own(transport, "_sock")]
    if tls is not None:
        # Up to 3.10 there is a pipe between.
        sessions = [own(holder, "_sslobj") for holder in (own(tls, "_sslpipe"), tls)]
        inner += [own(tls, "_transport")] + sessions
        below = own(tls, "_extra")
        extra = extra or (below if type(below) is dict else {})
    is_socket = own(transport, "_sock_fd") is not None or tls is not None or "peername" in extra
    if not is_socket:
        return None
    return {
        "role": "transport",
        "wraps": [id(one) for one in inner if one is not None],
        "is_closed": (inner[0] if tls is None else inner[1]) is None,
        "is_closing": True in (own(transport, "_closing"), own(transport, "_closed")),
        "local": endpoint(extra.get("sockname")),
        "peer": endpoint(extra.get("peername")),
        "buffered_bytes": buffered(transport),
        "used_by": None if protocol is None else type_name(protocol),
        "used_by_address": None if protocol is None else id(protocol),
    }


def of_uvloop(handle):
    """A transport of uvloop: the first class of uvloop's that can tell, tells."""
    kind = type(handle)
    own_kinds = [one for one in kind.__mro__ if one.__module__ == "uvloop.loop"]

    def ask(name, *args):
        for one in own_kinds:
            if name in one.__dict__:
                return or_none(one.__dict__[name].__get__(handle), *args)
        return None

    sock = ask("get_extra_info", "socket")
    fd = or_none(sock.fileno) if sock is not None else None
    protocol = ask("get_protocol")
    sessions = []
    if protocol is not None and is_a(protocol, UvTls):
        # Its attributes are C's alone, but it shows them to the collector.
        inner = module("gc").get_referents(protocol)
        sessions = [one for one in inner if is_a(one, SSLObject)]
        protocol = next((one for one in inner if is_a(one, Protocol)), None)
    return {
        "role": "transport",
        "wraps": [id(one) for one in sessions],
        "fd": fd,
        "is_closed": fd is None,
        "is_closing": bool(ask("is_closing")),
        "buffered_bytes": ask("get_write_buffer_size"),
        "used_by": None if protocol is None else type_name(protocol),
        "used_by_address": None if protocol is None else id(protocol),
    }


def describe(thing):
    if thing is None:
        yield {"uses_uvloop": UvTransport != ()}
        return
    if is_a(thing, Socket):
        yield of_socket(thing)
        if is_a(thing, SSLSocket):
            yield of_tls(thing)
    elif is_a(thing, SSLObject):
        yield {"role": "tls"}
        yield of_tls(thing)
    elif is_a(thing, TransportSocket):
        inner = own(thing, "_sock")
        yield {"role": "wrapper", "wraps": [] if inner is None else [id(inner)]}
    elif is_a(thing, UvTransport):
        if not type(thing).__name__.endswith("PipeTransport"):
            yield of_uvloop(thing)
    elif is_a(thing, UvServer):
        for sock in or_none(UvServer.sockets.__get__, thing) or ():
            fd = or_none(sock.fileno)
            if fd is not None:
                yield {"role": "server", "fd": fd}
    elif is_a(thing, Server):
        inner = own(thing, "_sockets") or ()
        yield {"role": "server", "wraps": [id(one) for one in list(inner)[:100]]}
    elif is_a(thing, BaseTransport):
        yield of_transport(thing)
