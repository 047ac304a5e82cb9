"""A shop whose `RENDER_CACHE` keeps a `Template` for each visitor, for ever.

leakhunt must say: `Template` grows, held by `leaky_shop.RENDER_CACHE`.
"""

import time

RENDER_CACHE = {}


class Template:
    def __init__(self, page, visitor):
        self.page = page
        self.visitor = visitor
        self.text = "<h1>%s</h1><p>Welcome back, %s</p>" % (page, visitor)

    def __repr__(self):
        return "<Template %s for %s>" % (self.page, self.visitor)


def render(page, visitor):
    key = (page, visitor)
    if key not in RENDER_CACHE:  # the leak: `visitor` makes each key a new one
        RENDER_CACHE[key] = Template(page, visitor)
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
