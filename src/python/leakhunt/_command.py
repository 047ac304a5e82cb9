"""The command `leakhunt` of this installation, as a child that looks at this process."""

import os
import re
import subprocess
import warnings
from typing import Collection, List, Optional, Sequence

from . import _leakhunt
from ._errors import LeakhuntError, LeakhuntWarning
from ._program import program

_ERROR = "leakhunt: error: "
_WARNING = "leakhunt: warning: "


def ask_agent(*arguments: str, codes: Collection[int] = (0,)) -> List[str]:
    """Runs the command on this process. Gives its JSON, one text a line."""
    connection = _leakhunt.connect()
    try:
        own = ["--pid", str(os.getpid()), "--door-fd", str(connection)]
        return _run([*arguments, *own], codes, pass_fds=[connection])
    finally:
        os.close(connection)


def ask(
    *arguments: str, codes: Collection[int] = (0,), input: Optional[str] = None
) -> List[str]:
    """Runs the command on files. Gives its JSON, one text a line."""
    return _run(list(arguments), codes, input=input)


def _run(
    arguments: List[str],
    codes: Collection[int],
    input: Optional[str] = None,
    pass_fds: Sequence[int] = (),
) -> List[str]:
    done = subprocess.run(
        [program(), *arguments, "--json", "--color", "never"],
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        pass_fds=pass_fds,
    )
    if done.returncode not in codes:
        raise _error(done)
    for line in done.stderr.splitlines():
        if line.startswith(_WARNING):
            warnings.warn(line[len(_WARNING) :], LeakhuntWarning, stacklevel=4)
    return [line for line in done.stdout.splitlines() if line]


def _error(done: "subprocess.CompletedProcess[str]") -> LeakhuntError:
    """As the command tells it: the error after a name, what to do about it in lines that are indented."""
    before, found, text = done.stderr.rpartition(_ERROR)
    if not found:
        text = re.sub(r"\s+", " ", done.stderr).strip() or f"ended with {done.returncode}"
        return LeakhuntError(text, done.returncode)
    lines = text.splitlines()
    help = "\n".join(line.strip() for line in lines[1:])
    return LeakhuntError(lines[0], done.returncode, help)
