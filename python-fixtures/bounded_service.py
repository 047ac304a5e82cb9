"""The same service, whose clients disconnect: the twin of `leaky_service.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Connection:
    def __init__(self, client):
        self.client = client


class Pool:
    def __init__(self):
        self.connections = {}


class Service:
    def __init__(self):
        self.pool = Pool()

    def connect(self, client):
        self.pool.connections[client] = Connection(client)
        self.pool.connections.pop(client - 5, None)


SERVICE = Service()


def serve(seconds):
    for client in requests(seconds):
        SERVICE.connect(client)

if __name__ == "__main__":
    serve(seconds=12)
