"""The same templates, whose text leaves `linecache` with them: the twin of `leaky_templates.py`.

leakhunt must say: nothing grows.
"""

import linecache

from pace import requests


def render(number):
    text = "page = 'request %d'\n" % number
    name = "<template %d>" % number
    linecache.cache[name] = len(text), None, [text], name
    names = {}
    exec(compile(text, name, "exec"), names)
    del linecache.cache[name]
    return names["page"]


def serve(seconds):
    for number in requests(seconds):
        render(number)

if __name__ == "__main__":
    serve(seconds=12)
