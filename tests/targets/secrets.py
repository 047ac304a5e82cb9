"""Texts that must not leave the target, all with `secret` in them, and names that may."""
import collections


class Customer:
    def __init__(self, n):
        self.visible_attribute = "secret value %d" % n
        self.nested = {"visible_key": "secret value", "visible_number": b"secret bytes"}


customers = [Customer(n) for n in range(20)]
SESSIONS = {"secret token %d" % n: "secret session" for n in range(1000)}
ORDERED = collections.OrderedDict(("secret ordered %d" % n, n) for n in range(200))
BOUNDED = {"visible_entry_%d" % n: n for n in range(64)}
JUST_OVER = {"secret entry %d" % n: n for n in range(65)}
LONG_KEY = {"visible_long_" + "k" * 51 + "secret rest": 1}
VALUES = ["secret item", ("secret in tuple",), {"secret member"}, frozenset({b"secret frozen"})]
NO_TEXT_KEYS = {b"secret bytes key": 1, ("secret tuple key",): 2, 5: "secret"}


def wait(password="secret default"):
    local = "secret local"
    serve()
    return local, password


wait()
