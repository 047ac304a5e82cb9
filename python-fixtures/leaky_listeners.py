"""Each `Session` registers a bound method with the bus and never takes it back.

leakhunt must say: `Session` grows, held by `leaky_listeners.BUS.listeners`.
"""

import time


class Bus:
    def __init__(self):
        self.listeners = []


BUS = Bus()


class Session:
    def __init__(self, user):
        self.user = user
        BUS.listeners.append(self.on_event)  # the leak: `close` forgets about it

    def on_event(self, event):
        pass

    def close(self):
        self.user = None


def serve(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        Session("ann").close()
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
