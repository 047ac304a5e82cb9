"""Tells cheaply which tests cannot leak, so that only the others are looked at as a whole."""

import gc
import sys
from array import array


class Screen:
    """Counts the blocks of memory that Python has, after the rounds to warm up and after those that
    are judged: call round() after each round until it is False, as for a Check.

    It costs two collections and no look.
    """

    def __init__(self, rounds, warmup):
        self._n_done = 0
        self._rounds = rounds
        self._warmup = warmup
        # Not a list of numbers, which would be blocks, too.
        self._blocks = array("q", [0, 0])

    @staticmethod
    def is_possible():
        """Whether the allocator counts: with PYTHONMALLOC=malloc it does not."""
        return sys.getallocatedblocks() > 0

    def round(self):
        """Says that a round is done. Whether another is wanted."""
        self._n_done += 1
        if self._n_done == self._warmup:
            self._count(0)
        elif self._n_done == self._warmup + self._rounds:
            self._count(1)
            return False
        return True

    def _count(self, index):
        gc.collect()
        self._blocks[index] = sys.getallocatedblocks()

    def may_leak(self):
        """Whether there are more blocks than there were."""
        return self._blocks[1] > self._blocks[0]
