"""Has ``leakhunt check`` look at this process, for runners of tests."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import sysconfig

__all__ = ["Check", "CheckFailed", "is_supported"]

_PR_SET_PTRACER = 0x59616D61


class CheckFailed(Exception):
    """Why there is no verdict, and what to do."""


def is_supported():
    """Whether leakhunt can look at a process here."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


class Check:
    """One check of this process: call round() after each round until it is False, then verdict()."""

    def __init__(self, rounds, warmup, accept=None):
        command = [
            *(_command(), "check", "--pid", str(os.getpid()), "--rounds-on-stdin", "--json"),
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
        self._socket.close()

    def round(self):
        """Says that a round is done and waits until it was looked at. Whether another is wanted."""
        try:
            self._socket.sendall(b"round %d\n" % os.getpid())
            answer = b""
            while not answer.endswith(b"\n"):
                part = self._socket.recv(16)
                if not part:
                    return False
                answer += part
        except OSError:
            # It has ended; verdict() tells why.
            return False
        return answer == b"more\n"

    def verdict(self):
        """The document of JSON that leakhunt wrote."""
        self._socket.close()
        try:
            stdout, stderr = self._child.communicate()
        finally:
            _permit(0)
        if self._child.returncode not in (0, 1):
            text = stderr.decode("utf-8", "replace").strip()
            raise CheckFailed("leakhunt could not look at this process: " + text)
        return json.loads(stdout)


def _command():
    """The program leakhunt: the one that was installed with this package comes first."""
    own = os.environ.get("LEAKHUNT_COMMAND")
    folders = [sysconfig.get_path("scripts"), os.path.dirname(sys.executable)]
    found = own or shutil.which("leakhunt", path=os.pathsep.join(folders)) or shutil.which("leakhunt")
    if not found:
        raise CheckFailed("the program leakhunt is not there: pip install leakhunt")
    return found


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
