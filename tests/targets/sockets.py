"""Sockets in known states under known names, made when the test asks for them."""
import asyncio
import socket
import ssl
import types


class Pool:
    def __init__(self):
        self.leaked = []


POOL = Pool()
SERVER = socket.create_server(("127.0.0.1", 0))
ADDRESS = SERVER.getsockname()
kept = []


def load_objgraph(source):
    global objgraph
    objgraph = types.ModuleType("objgraph")
    sys.modules["objgraph"] = objgraph
    exec(compile(source, "objgraph.py", "exec"), objgraph.__dict__)


def connection():
    """Both ends of a TCP connection."""
    client = socket.create_connection(ADDRESS)
    return client, SERVER.accept()[0]


def leak(n):
    """Connections that the other end has closed."""
    for _ in range(n):
        client, server = connection()
        server.close()
        POOL.leaked.append(client)


def established():
    global CLIENT, ACCEPTED
    CLIENT, ACCEPTED = connection()


def closed():
    """Closed sockets that are still referred to, and one that was detached."""
    global CLOSED, PAIR, NATIVE_FD
    first, PAIR = socket.socketpair()
    first.close()
    detached, kept_end = connection()
    kept.append(kept_end)
    NATIVE_FD = detached.detach()
    CLOSED = [first, detached]


def kept_open_by_file():
    global FILE, BY_FILE
    BY_FILE, other = connection()
    kept.append(other)
    FILE = BY_FILE.makefile()
    BY_FILE.close()


def stale():
    """A socket whose descriptor was closed, and one whose number is a file's now."""
    global GONE, REPLACED
    REPLACED = socket.socket()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, REPLACED.fileno())
    os.close(null)
    GONE = socket.socket()
    os.dup2(GONE.fileno(), 900)
    os.close(GONE.detach())
    GONE = socket.socket(fileno=900)
    os.close(900)


def over():
    """A connection that the other end has reset."""
    global OVER
    OVER, other = connection()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    other.close()
    try:
        OVER.recv(1)
    except ConnectionResetError:
        pass


def of_unix(folder):
    global LISTENER, AT_PATH, ACCEPTED_AT_PATH, ABSTRACT, DATAGRAM
    path = os.path.join(folder, "my app.sock")
    LISTENER = socket.socket(socket.AF_UNIX)
    LISTENER.bind(path)
    LISTENER.listen()
    AT_PATH = socket.socket(socket.AF_UNIX)
    AT_PATH.connect(path)
    ACCEPTED_AT_PATH = LISTENER.accept()[0]
    ABSTRACT = socket.socket(socket.AF_UNIX)
    ABSTRACT.bind("\0leakhunt-test-%d" % os.getpid())
    DATAGRAM = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    DATAGRAM.bind(("127.0.0.1", 0))
    return path


def anonymous_tls(side):
    """A context without certificates."""
    context = ssl.SSLContext(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return context


def of_tls():
    global TLS_CLIENT, TLS_SERVER
    client, server = connection()
    client.settimeout(30)
    server.settimeout(30)
    ends = []
    accept = threading.Thread(
        target=lambda: ends.append(anonymous_tls(ssl.PROTOCOL_TLS_SERVER).wrap_socket(server, server_side=True))
    )
    accept.start()
    TLS_CLIENT = anonymous_tls(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(client, server_hostname="shop.example")
    accept.join()
    (TLS_SERVER,) = ends
    # A thread that was joined may still be on its last steps.
    while os.path.exists("/proc/self/task") and len(os.listdir("/proc/self/task")) > 1:
        pass


def on_a_loop(make=asyncio.new_event_loop, with_tls=True):
    """A server, its connections with and without TLS, a datagram endpoint; the loop is not running."""
    global LOOP, STREAMS
    LOOP = make()
    STREAMS = []

    async def main():
        async def serve_one(reader, writer):
            STREAMS.append(writer)

        for tls in [False, True][: 1 + with_tls]:
            context = anonymous_tls(ssl.PROTOCOL_TLS_SERVER) if tls else None
            server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=context)
            STREAMS.append(server)
            context = anonymous_tls(ssl.PROTOCOL_TLS_CLIENT) if tls else None
            _, writer = await asyncio.open_connection(
                *server.sockets[0].getsockname(), ssl=context, server_hostname="shop.example" if tls else None
            )
            STREAMS.append(writer)
        endpoint, _ = await LOOP.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        STREAMS.append(endpoint)
        while len(STREAMS) < (7 if with_tls else 4):
            await asyncio.sleep(0.01)

    LOOP.run_until_complete(main())
    return LOOP


class Quarrelsome(socket.socket):
    """Its own code must not run."""

    def __repr__(self):
        raise ValueError("no repr")

    def fileno(self):
        raise ValueError("no fileno")

    @property
    def family(self):
        raise ValueError("no family")

    def getsockname(self):
        raise ValueError("no name")


class Hanging(socket.socket):
    def hang(self, *args):
        while True:
            pass

    __repr__ = fileno = getsockname = getpeername = getsockopt = hang
    family = type = property(hang)


def let_go(*hanging):
    """Their finalizer would ask for their `repr`."""
    for one in hanging:
        os.close(socket.socket.detach(one))


# What `objgraph.by_type("socket")` finds, too.
Namesake = type("socket", (), {"__repr__": lambda self: "<a namesake>"})
RaisingNamesake = type("socket", (socket.socket,), {"__repr__": Quarrelsome.__repr__})
HangingNamesake = type("socket", (socket.socket,), {"__repr__": Hanging.hang})


def known_to_the_kernel():
    """State and addresses by inode, read from /proc, for TCP and UDP; nothing where it is in no table."""
    found = {}
    for name in ("tcp", "tcp6", "udp", "udp6"):
        with open("/proc/self/net/" + name) as table:
            for line in list(table)[1:]:
                fields = line.split()
                found[int(fields[9])] = [name[:3], int(fields[3], 16)] + [
                    int(end.split(":")[1], 16) for end in fields[1:3]
                ]
    return found


def own_sockets():
    """Descriptors of sockets by inode, and what the kernel knows of each."""
    sockets = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            link = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            continue
        if link.startswith("socket:"):
            sockets.setdefault(int(link[8:-1]), []).append(int(fd))
    known = known_to_the_kernel()
    return {str(inode): [sorted(fds), known.get(inode)] for inode, fds in sockets.items()}


serve()
