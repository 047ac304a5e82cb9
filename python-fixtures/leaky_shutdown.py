"""Each `Session` asks to be told of a shutdown that never comes.

leakhunt must say: `Session` grows, held by `leaky_shutdown.SHUTDOWN._done_callbacks`.
"""

from concurrent.futures import Future

from pace import requests

SHUTDOWN = Future()


class Session:
    def __init__(self, number):
        self.number = number
        SHUTDOWN.add_done_callback(self.close)  # the leak: a future forgets no callback

    def close(self, shutdown):
        self.number = None


def serve(seconds):
    for number in requests(seconds):
        Session(number)

if __name__ == "__main__":
    serve(seconds=12)
