"""Plugins register their classes with an abstract base class, and a list keeps them.

leakhunt must say: `type` grows, held by `leaky_plugins.PLUGINS`.
"""

import abc

from pace import requests

PLUGINS = []


class Plugin(abc.ABC):
    pass


def load(number):
    plugin = type("Plugin%d" % number, (), {"number": number})
    Plugin.register(plugin)
    PLUGINS.append(plugin)  # the leak: the caches of the base class alone would let it go
    return isinstance(plugin(), Plugin)


def serve(seconds):
    for number in requests(seconds):
        load(number)

if __name__ == "__main__":
    serve(seconds=12)
