"""The values of a `WeakKeyDictionary` refer to their keys, so that no key ever dies.

leakhunt must say: `Note` grows, held by `leaky_notes.NOTES`.
"""

import weakref

from pace import requests

NOTES = weakref.WeakKeyDictionary()


class Page:
    pass


class Note:
    def __init__(self, page):
        self.page = page  # the leak: it should be weak, too


def handle():
    page = Page()
    NOTES[page] = Note(page)


def serve(seconds):
    for _ in requests(seconds):
        handle()

if __name__ == "__main__":
    serve(seconds=12)
