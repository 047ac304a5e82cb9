"""Starts gunicorn with two workers on the socket in argv, and asks it. The app may be in argv too."""
import http.client
import socket
import subprocess
import time

APP = "def app(environ, start): start('200 OK', [('Content-Length', '2')]); return [b'ok']"
APP = sys.argv[2] if len(sys.argv) > 2 else APP
PATH = sys.argv[1]
server = subprocess.Popen(
    [
        sys.executable, "-c",
        "import sys, types; app = types.ModuleType('shop_app'); exec(%r, app.__dict__); "
        "sys.modules['shop_app'] = app; from gunicorn.app.wsgiapp import run; run()" % APP,
        "shop_app:app", "--workers", "2", "--bind", "unix:" + PATH, "--log-level", "critical",
    ],
    stdin=subprocess.DEVNULL,
)
atexit.register(server.kill)


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(PATH)


def ask(n):
    """How many of `n` requests failed."""
    n_failed = 0
    for _ in range(n):
        connection = Connection("localhost", timeout=30)
        try:
            connection.request("GET", "/")
            n_failed += connection.getresponse().read() != b"ok"
        except OSError:
            n_failed += 1
        finally:
            connection.close()
    return n_failed


def ask_on():
    """Asks all the time, in a thread."""
    threading.Thread(target=lambda: [ask(20) for _ in iter(int, 1)], daemon=True).start()


def stop():
    server.terminate()
    return server.wait(30)


deadline = time.monotonic() + 60
while ask(1) and server.poll() is None and time.monotonic() < deadline:
    time.sleep(0.05)
serve()
