"""The same threads, whose answer comes: the twin of `leaky_threads.py`.

leakhunt must say: nothing grows.
"""

import threading

from pace import requests

ANSWER = threading.Event()


def wait(number):
    ANSWER.wait(0.01)


def serve(seconds):
    for number in requests(seconds, per_second=8):
        thread = threading.Thread(target=wait, args=(number,), daemon=True)
        thread.start()
        thread.join()

if __name__ == "__main__":
    serve(seconds=12)
