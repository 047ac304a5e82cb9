"""The pool of a service keeps the `Connection` of each client: an attribute of an attribute.

leakhunt must say: `Connection` grows, held by `leaky_service.SERVICE.pool.connections`.
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
        self.pool.connections[client] = Connection(client)  # the leak: there is no `disconnect`


SERVICE = Service()


def serve(seconds):
    for client in requests(seconds):
        SERVICE.connect(client)

if __name__ == "__main__":
    serve(seconds=12)
