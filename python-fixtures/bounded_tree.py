"""The same tree for 25 keys: the twin of `leaky_tree.py`.

leakhunt must say: nothing grows.
"""

from pace import requests


class Node:
    def __init__(self, key):
        self.key = key
        self.left = self.right = None

    def add(self, key):
        side = "left" if key < self.key else "right"
        below = getattr(self, side)
        if below is None:
            setattr(self, side, Node(key))
        elif below.key != key:
            below.add(key)


TREE = Node(1 << 31)


def serve(seconds):
    for number in requests(seconds):
        TREE.add(number % 25 * 2_654_435_761 % (1 << 32))

if __name__ == "__main__":
    serve(seconds=12)
