"""Finds memory leaks in live Python processes."""

from .rounds import round

__all__ = ["round"]
