"""A WSGI server with a thread for each request, whose middleware keeps who came.

The server is a local variable. Now a request is under way, and its frames and its thread lead to the
middleware as well, and now there is none.

leakhunt must say: `Visit` grows, held by `frame serve(): local server.application.visits`.
"""

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
        self.visits = []

    def __call__(self, environ, start_response):
        self.visits.append(Visit(environ["PATH_INFO"]))  # the leak: nobody drops them
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
