"""Threads that wait for an answer that never comes.

leakhunt must say: threads grow, `threads of wait() in leaky_threads`.
"""

import threading

from pace import requests

ANSWER = threading.Event()


def wait(number):
    ANSWER.wait()  # the leak: no time limit


def serve(seconds):
    for number in requests(seconds, per_second=8):
        threading.Thread(target=wait, args=(number,), daemon=True).start()

if __name__ == "__main__":
    serve(seconds=12)
