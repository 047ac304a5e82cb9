"""A server that listens for the answer of each request under an event name of its own.

In pyee up to 13.0.1 `remove_all_listeners(event)` leaves an empty dict under the name of the event. Since
14.0.0 the name goes, too.
Reference: jfhbrook/pyee pull request 209.

hunt must say: the dict `_events` of `__main__.bus` grows.
"""

import time

from pyee.base import EventEmitter

bus = EventEmitter()


def handle(request):
    answers = []
    event = "answer-%d" % request
    bus.on(event, answers.append)
    bus.emit(event, "hello")
    bus.remove_all_listeners(event)
    return answers


print("ready", flush=True)
request = 0
while True:
    request += 1
    handle(request)
    time.sleep(0.02)
