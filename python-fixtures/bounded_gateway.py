"""The same server, which keeps who came last: the twin of `leaky_gateway.py`.

leakhunt must say: nothing grows.
"""

import collections
import socket
import socketserver
import threading
import time

from pace import requests


class Visit:
    def __init__(self, text):
        self.text = text


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.visits.append(Visit(self.rfile.readline()))
        time.sleep(0.005)


def serve(seconds):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.visits = True, collections.deque(maxlen=10)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for number in requests(seconds):
        with socket.create_connection(server.server_address) as client:
            client.sendall(b"%d\n" % number)
            client.recv(1)

if __name__ == "__main__":
    serve(seconds=12)
