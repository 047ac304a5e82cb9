"""The same plugins, which only the caches of the base class know of: the twin of `leaky_plugins.py`.

leakhunt must say: nothing grows.
"""

import abc

from pace import requests


class Plugin(abc.ABC):
    pass


def load(number):
    plugin = type("Plugin%d" % number, (), {"number": number})
    Plugin.register(plugin)
    return isinstance(plugin(), Plugin)


def serve(seconds):
    for number in requests(seconds):
        load(number)

if __name__ == "__main__":
    serve(seconds=12)
