"""Each request appends an `Entry` to the list `JOURNAL` of the module.

leakhunt must say: `Entry` grows, held by `leaky_journal.JOURNAL`.
"""

from pace import requests

JOURNAL = []


class Entry:
    def __init__(self, number):
        self.text = "request %d" % number


def handle(number):
    JOURNAL.append(Entry(number))  # the leak: nobody writes it out


def serve(seconds):
    for number in requests(seconds):
        handle(number)

if __name__ == "__main__":
    serve(seconds=12)
