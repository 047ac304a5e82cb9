"""The same shop with a cache of 100 templates: the twin of `leaky_shop.py` that does not leak.

leakhunt must say: nothing grows once the cache is full.
"""

import time
from collections import OrderedDict

RENDER_CACHE = OrderedDict()
MAX_TEMPLATES = 100


class Template:
    def __init__(self, page, visitor):
        self.page = page
        self.visitor = visitor
        self.text = "<h1>%s</h1><p>Welcome back, %s</p>" % (page, visitor)


def render(page, visitor):
    key = (page, visitor)
    if key not in RENDER_CACHE:
        RENDER_CACHE[key] = Template(page, visitor)
        if len(RENDER_CACHE) > MAX_TEMPLATES:
            RENDER_CACHE.popitem(last=False)
    return RENDER_CACHE[key].text


def serve(seconds):
    end = time.monotonic() + seconds
    visitor = 0
    while time.monotonic() < end:
        visitor += 1
        render("/checkout", "visitor-%d" % visitor)
        time.sleep(0.001)


if __name__ == "__main__":
    serve(seconds=12)
