"""The same sessions, which leave the bus when they close: the twin of `leaky_listeners.py`.

leakhunt must say: nothing grows.
"""

import time


class Bus:
    def __init__(self):
        self.listeners = []


BUS = Bus()


class Session:
    def __init__(self, user):
        self.user = user
        BUS.listeners.append(self.on_event)

    def on_event(self, event):
        pass

    def close(self):
        self.user = None
        BUS.listeners.remove(self.on_event)


def serve(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        Session("ann").close()
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
