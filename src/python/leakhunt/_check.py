"""Has ``leakhunt check`` look at this process, for runners of tests."""

import json
import os
import platform
import socket
import subprocess
import sys

from ._errors import LeakhuntError
from ._program import program
from .rounds import wants_another

__all__ = ["Check", "is_supported", "open_door"]

_PR_SET_PTRACER = 0x59616D61


def is_supported():
    """Whether leakhunt can look at a process here."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


class Check:
    """One check of this process, a context: call round() in it after each round until it is False, then,
    after it, verdict()."""

    def __init__(self, rounds, warmup, accept=None):
        command = [
            *(program(), "check", "--pid", str(os.getpid()), "--rounds-on-stdin", "--json"),
            *("--rounds", str(rounds), "--warmup", str(warmup)),
        ]
        # One that is to be written may not be there yet.
        if accept is not None and os.path.exists(accept):
            command += ["--accept", accept]
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        _permit(self._child.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Without its last round the child ends with an error that nobody reads.
        self._socket.close()
        try:
            self._told = self._child.communicate()
        finally:
            _permit(0)

    def round(self):
        """Says that a round is done and waits until it was looked at. Whether another is wanted: not where
        leakhunt has ended, and verdict() tells why."""
        return wants_another(self._socket.fileno())

    def verdict(self):
        """The document of JSON that leakhunt wrote. Raises LeakhuntError where there is none."""
        stdout, stderr = self._told
        if self._child.returncode not in (0, 1) or not stdout:
            text = stderr.decode("utf-8", "replace").strip()
            raise LeakhuntError(
                "leakhunt could not look at this process: " + text, self._child.returncode
            )
        return json.loads(stdout)


def open_door():
    """Opens a way into this process that needs no ptrace. Whether there is a new one."""
    try:
        from ._door import door, listen
    except ImportError:
        return False
    if door() is not None:
        return False
    try:
        listen()
    except OSError:
        return False
    return True


def _permit(pid):
    """Lets a process trace this one where Yama keeps all but ancestors from it; 0 takes that back."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:
            is_restricted = file.read().strip() == "1"
    except OSError:
        return
    if is_restricted:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, pid, 0, 0, 0)
