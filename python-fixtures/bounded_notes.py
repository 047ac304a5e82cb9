"""The same notes, which refer to their pages weakly: the twin of `leaky_notes.py`.

leakhunt must say: nothing grows.
"""

import weakref

from pace import requests

NOTES = weakref.WeakKeyDictionary()


class Page:
    pass


class Note:
    def __init__(self, page):
        self.page = weakref.ref(page)


def handle():
    page = Page()
    NOTES[page] = Note(page)


def serve(seconds):
    for _ in requests(seconds):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
