"""A server with a thread for each request, known to one frame alone, keeps who came.

Now the frames and the thread of a request lead to the server as well, and now there is none.

leakhunt must say: `Visit` grows, held by `frame serve(): local server.visits`.
"""

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
        self.server.visits.append(Visit(self.rfile.readline()))  # the leak: nobody drops them
        time.sleep(0.005)


def serve(seconds):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.visits = True, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for number in requests(seconds):
        with socket.create_connection(server.server_address) as client:
            client.sendall(b"%d\n" % number)
            client.recv(1)

if __name__ == "__main__":
    serve(seconds=12)
