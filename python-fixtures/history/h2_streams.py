"""A service that keeps one HTTP/2 connection to another for good, as gRPC and API clients do.

h2 up to 3.0.1 remembers each stream of a connection that was ever closed, in a dict by its number, to tell
late frames from wrong ones. Since 3.1.0 it remembers the last 65,536 alone.
Reference: python-hyper/h2, release 3.1.0.

hunt must say: `_closed_streams` of a connection grows.
"""

import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

client = H2Connection(config=H2Configuration(client_side=True))
server = H2Connection(config=H2Configuration(client_side=False))


def exchange():
    for event in server.receive_data(client.data_to_send()):
        if isinstance(event, RequestReceived):
            server.send_headers(event.stream_id, [(":status", "204")], end_stream=True)
    client.receive_data(server.data_to_send())


def ask(path):
    stream = client.get_next_available_stream_id()
    request = [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", "shop")]
    client.send_headers(stream, request, end_stream=True)
    exchange()


client.initiate_connection()
server.initiate_connection()
exchange()
print("ready", flush=True)
number = 0
while True:
    number += 1
    ask(f"/orders/{number}")
    time.sleep(0.02)
