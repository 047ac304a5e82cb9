"""A service that gets JSON with numbers that are too long for 64 bits, as ids and prices of chains are.

ujson up to 5.11.0 copies the digits of each such number to make an `int` of them, and never frees the copy.
Since 5.12.0 it does.
Reference: ultrajson/ultrajson, release 5.12.0.

hunt must say: memory beside Python's objects grows.
"""

import time

import ujson

MESSAGE = '{"amounts": [%s]}' % ", ".join(["9" * 200] * 100)

print("ready", flush=True)
while True:
    ujson.loads(MESSAGE)
    time.sleep(0.01)
