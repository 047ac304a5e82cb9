"""Each rule is run in a module of its own, which stays in `sys.modules`.

leakhunt must say: `module` grows, held by `sys.modules`.
"""

import sys
import types

from pace import requests


def run(number):
    name = "rule_%d" % number
    module = sys.modules[name] = types.ModuleType(name)  # the leak: nobody imports it
    exec("def applies(order):\n    return order > %d\n" % number, module.__dict__)
    return module.applies(7)


def serve(seconds):
    for number in requests(seconds):
        run(number)

if __name__ == "__main__":
    serve(seconds=12)
