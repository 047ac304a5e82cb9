"""Rounds of a program under ``leakhunt check``.

As a program of its own it runs a script again and again in one interpreter, each run a round::

    leakhunt check -- python -m leakhunt.rounds script.py argument
    leakhunt check -- python -m leakhunt.rounds -m package.module argument

The file needs nothing but the standard library: ``leakhunt check --repeat`` brings it along for
interpreters that the package is not installed for.
"""

import os
import stat
import sys
from typing import Callable, List, Optional, Tuple

__all__ = ["round"]

_VARIABLE = "LEAKHUNT_ROUNDS"
# The process that says that its rounds are done; one that it forks is silent.
_speaker: Optional[int] = None


def _descriptor() -> Optional[int]:
    """The socket to leakhunt, or None. Its number may be another file's in a process that has but
    inherited the environment, so its inode is told, too."""
    value = os.environ.get(_VARIABLE)
    if not value:
        return None
    number, _, inode = value.partition(":")
    try:
        there = os.fstat(int(number))
    except (ValueError, OSError):
        return None
    if not stat.S_ISSOCK(there.st_mode) or str(there.st_ino) != inode:
        return None
    return int(number)


def round() -> bool:
    """Say that a round is done, and wait until leakhunt has looked at the heap.

    Returns whether another round is wanted. Where the program does not run under ``leakhunt check``
    it does nothing, and returns False.
    """
    global _speaker
    descriptor = _descriptor()
    if descriptor is None or _speaker not in (None, os.getpid()):
        return False
    _speaker = os.getpid()
    return wants_another(descriptor)


def wants_another(descriptor: int) -> bool:
    """Says on a socket to leakhunt that a round of this process is done, and waits for the answer."""
    try:
        os.write(descriptor, b"round %d\n" % os.getpid())
        answer = b""
        while not answer.endswith(b"\n"):
            part = os.read(descriptor, 16)
            if not part:
                return False
            answer += part
    except OSError:
        # leakhunt is gone; the program goes on.
        return False
    return answer == b"more\n"


def _runner(arguments: List[str]) -> Tuple[List[str], str, Callable[[], object]]:
    """The sys.argv of what the arguments name, its sys.path[0], and a function that runs it."""
    import runpy

    what, *rest = arguments
    if what in ("-m", "-c") and not rest:
        sys.exit("leakhunt.rounds: nothing after " + what)
    if what == "-m":
        module, *rest = rest
        return [module, *rest], os.getcwd(), lambda: runpy.run_module(
            module, run_name="__main__", alter_sys=True
        )
    if what == "-c":
        code, *rest = rest
        return ["-c", *rest], "", lambda: exec(
            compile(code, "<string>", "exec"), {"__name__": "__main__"}
        )
    folder = os.path.dirname(os.path.realpath(what))
    return [what, *rest], folder, lambda: runpy.run_path(what, run_name="__main__")


def _main(arguments: List[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.exit("usage: python -m leakhunt.rounds (script.py | -m module) [argument ...]")
    argv, folder, run = _runner(arguments)
    # In isolated mode the first entry is the standard library.
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):
        sys.path[0] = folder
    while True:
        sys.argv[:] = argv
        try:
            run()
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
        if not round():
            return


if __name__ == "__main__":
    _main(sys.argv[1:])
