"""The same server, which keeps who came last: the twin of `leaky_gateway.py`.

leakhunt must say: nothing grows.
"""

import collections
import http.client
import socketserver
import threading
import time
import wsgiref.simple_server

from pace import requests


class Visit:
    def __init__(self, path):
        self.path = path


class Gateway:
    def __init__(self):
        self.visits = collections.deque(maxlen=10)

    def __call__(self, environ, start_response):
        self.visits.append(Visit(environ["PATH_INFO"]))
        time.sleep(0.005)
        start_response("200 OK", [])
        return [b"hello"]


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


def serve(seconds):
    server = Server(("127.0.0.1", 0), Handler)
    server.set_app(Gateway())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for number in requests(seconds):
        client = http.client.HTTPConnection("127.0.0.1", server.server_port)
        client.request("GET", "/")
        client.getresponse().read()
        client.close()


if __name__ == "__main__":
    serve(seconds=12)
