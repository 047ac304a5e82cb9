"""The same journal, written out when it has 20 entries: the twin of `leaky_journal.py`.

leakhunt must say: nothing grows.
"""

from pace import requests

JOURNAL = []


class Entry:
    def __init__(self, number):
        self.text = "request %d" % number


def handle(number):
    JOURNAL.append(Entry(number))
    if len(JOURNAL) >= 20:
        JOURNAL.clear()


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
