"""What a socket, or what stands for one, tells of itself.

Methods and attributes are those of CPython's and uvloop's own classes, whatever a subclass of the
target makes of them.
"""
Socket = module("_socket").socket if module("_socket") else ()
fstat = module("posix").fstat
AF_UNIX, AF_INET6 = 1, 10
SOL_SOCKET, SO_PEERCRED = 1, 17
IPPROTO_TCP, TCP_INFO = 6, 11
SOCK_STREAM = 1


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


def endpoint(family, address):
    """An address as `ss` writes it; None for the address of nothing."""
    if type(address) is tuple and len(address) >= 2 and type(address[0]) is str:
        host, port = address[:2]
        if family == AF_INET6:
            host = "[%s]" % host
        return short("%s:%s" % (host, port))
    if type(address) is bytes:
        name = address.decode("utf-8", "replace")
        return short("@" + name[1:].replace("\0", "@") if name.startswith("\0") else name) or None
    if type(address) is str:
        return short(address) or None
    return None if address is None else text_of(address)


def inode_of(fd):
    """The inode of a socket; None where the number is no socket's, or one that the copy replaced."""
    if fd < 3:
        return None
    try:
        stat = fstat(fd)
    except OSError:
        return None
    return stat.st_ino if stat.st_mode & 0o170000 == 0o140000 else None


def number(data, start, size):
    part = data[start : start + size]
    return int.from_bytes(part, sys.byteorder) if len(part) == size else None


def of_tcp(sock):
    """`struct tcp_info` of `linux/tcp.h`: the state, how long nothing was sent or came, how much came."""
    info = or_none(Socket.getsockopt, sock, IPPROTO_TCP, TCP_INFO, 192)
    if not info:
        return {}
    sent_ms, received_ms = number(info, 44, 4), number(info, 52, 4)
    idle = [ms for ms in (sent_ms, received_ms) if ms is not None]
    segments = number(info, 140, 4)
    return {
        "tcp_state": info[0],
        "idle_ms": min(idle) if idle else None,
        "received_bytes": number(info, 128, 8),
        "was_connected": bool(segments) if segments is not None else None,
    }


def of_socket(sock):
    fd = Socket.fileno(sock)
    row = {"role": "socket", "fd": fd}
    family = Socket.family.__get__(sock)
    row["family"] = family
    row["type"] = Socket.type.__get__(sock)
    row["protocol"] = Socket.proto.__get__(sock)
    if is_a(sock, PythonSocket):
        row["is_closed"] = or_none(PythonSocket._closed.__get__, sock) is True
        row["n_files"] = or_none(PythonSocket._io_refs.__get__, sock)
    if fd < 0:
        return row
    row["inode"] = inode_of(fd)
    if row["inode"] is None:
        return row
    row["local"] = endpoint(family, or_none(Socket.getsockname, sock))
    peer = or_none(Socket.getpeername, sock)
    row["peer"] = endpoint(family, peer)
    if family == AF_UNIX and peer is not None:
        credentials = or_none(Socket.getsockopt, sock, SOL_SOCKET, SO_PEERCRED, 12)
        row["peer_pid"] = number(credentials or b"", 0, 4) or None
    elif row["type"] == SOCK_STREAM:
        row.update(of_tcp(sock))
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
    fd = own(transport, "_sock_fd")
    return {
        "role": "transport",
        "wraps": [id(one) for one in inner if one is not None],
        "is_closed": (inner[0] if tls is None else inner[1]) is None,
        "is_closing": True in (own(transport, "_closing"), own(transport, "_closed")),
        "last_fd": fd if type(fd) is int else None,
        "local": endpoint_of(extra.get("sockname")),
        "peer": endpoint_of(extra.get("peername")),
        "buffered_bytes": buffered(transport),
        "used_by": None if protocol is None else type_name(protocol),
        "used_by_address": None if protocol is None else id(protocol),
    }


def endpoint_of(address):
    is_inet6 = type(address) is tuple and len(address) == 4
    return endpoint(AF_INET6 if is_inet6 else None, address)


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
    row = {
        "role": "transport",
        "fd": fd,
        "is_closed": fd is None,
        "is_closing": bool(ask("is_closing")),
        "local": endpoint_of(ask("get_extra_info", "sockname")),
        "peer": endpoint_of(ask("get_extra_info", "peername")),
        "buffered_bytes": ask("get_write_buffer_size"),
        "used_by": None if protocol is None else type_name(protocol),
        "used_by_address": None if protocol is None else id(protocol),
    }
    if fd is not None:
        row["inode"] = inode_of(fd)
    return row


def describe(thing):
    if thing is None:
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
                yield {"role": "server", "fd": fd, "inode": inode_of(fd)}
    elif is_a(thing, Server):
        inner = own(thing, "_sockets") or ()
        yield {"role": "server", "wraps": [id(one) for one in list(inner)[:100]]}
    elif is_a(thing, BaseTransport):
        yield of_transport(thing)
