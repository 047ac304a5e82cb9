"""The same modules, which leave `sys.modules` after their run: the twin of `leaky_rules.py`.

leakhunt must say: nothing grows.
"""

import sys
import types

from pace import requests


def run(number):
    name = "rule_%d" % number
    module = sys.modules[name] = types.ModuleType(name)
    exec("def applies(order):\n    return order > %d\n" % number, module.__dict__)
    del sys.modules[name]
    return module.applies(7)


def serve(seconds):
    for number in requests(seconds):
        run(number)

if __name__ == "__main__":
    serve(seconds=12)
