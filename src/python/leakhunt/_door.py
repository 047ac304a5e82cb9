"""The door of this process."""

import atexit
import os

from . import _leakhunt

_state = {"children": False}
# Taken out by the first of all threads that open the door.
_to_hook = [True]


def listen(children: bool = False) -> str:
    """Opens the door: `leakhunt … --pid` of the same user, or of root, gets in without ptrace.

    Returns the path of the socket, in `$XDG_RUNTIME_DIR/leakhunt` or `/tmp/leakhunt-UID`, a folder that
    nobody else may enter. Until somebody knocks, one thread sleeps, and nothing else happens. The
    door is closed by `unlisten()` and when the process ends. A forked child has no door, unless
    `children` is true: then each child that Python forks opens one of its own.

    Calling it again changes nothing but `children`. Raises OSError where the folder belongs to
    somebody else, or the socket cannot be made.
    """
    path = _leakhunt.listen()
    _state["children"] = bool(children)
    if _is_first():
        atexit.register(_leakhunt.unlisten)
        # CPython 3.12 and later warn of a fork beside a thread.
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child
        )
    return path


def unlisten() -> None:
    """Closes the door. Who is in by it stays until done."""
    _leakhunt.unlisten()


def door() -> "str | None":
    """The path of the open door of this process, or None."""
    return _leakhunt.door()


def _is_first() -> bool:
    try:
        return _to_hook.pop()
    except IndexError:
        return False


def _before_fork() -> None:
    _leakhunt.pause()


def _after_fork() -> None:
    _leakhunt.resume()


def _in_child() -> None:
    # What the parent has is none of ours.
    had_one = _leakhunt.forget()
    if had_one and _state["children"]:
        try:
            _leakhunt.listen()
        except OSError:
            # A child has no door then; it goes on.
            pass
