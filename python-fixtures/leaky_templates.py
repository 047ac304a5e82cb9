"""Each template is compiled under a file name of its own, whose text `linecache` keeps.

leakhunt must say: `tuple` grows, held by `linecache.cache`.
"""

import linecache

from pace import requests


def render(number):
    text = "page = 'request %d'\n" % number
    name = "<template %d>" % number
    linecache.cache[name] = len(text), None, [text], name  # the leak: for tracebacks
    names = {}
    exec(compile(text, name, "exec"), names)
    return names["page"]


def serve(seconds):
    for number in requests(seconds):
        render(number)

if __name__ == "__main__":
    serve(seconds=12)
