"""Where the command `leakhunt` of this installation is."""

import os
import shutil
import sys
import sysconfig
from typing import Iterator, Optional

from ._errors import LeakhuntError


def program() -> str:
    """The path of the command that came with this package."""
    for path in _candidates():
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise LeakhuntError(
        "the command leakhunt is not there, which came with this package",
        2,
        "install the package again, or name a command of the same version by LEAKHUNT_BIN",
    )


def _candidates() -> Iterator[Optional[str]]:
    yield os.environ.get("LEAKHUNT_BIN")
    yield from _installed_beside()
    yield os.path.join(sysconfig.get_path("scripts"), "leakhunt")
    yield os.path.join(os.path.dirname(sys.executable or ""), "leakhunt")
    yield shutil.which("leakhunt")


def _installed_beside() -> Iterator[str]:
    """Where the installer has put it, by its own list of files."""
    from importlib import metadata

    try:
        distribution = metadata.distribution("leakhunt")
    except metadata.PackageNotFoundError:
        return
    own = os.path.dirname(os.path.abspath(__file__))
    if os.path.realpath(str(distribution.locate_file("leakhunt"))) != os.path.realpath(own):
        return
    for file in distribution.files or ():
        if file.name == "leakhunt" and file.parent.name in ("bin", "scripts"):
            yield os.path.abspath(str(distribution.locate_file(file)))
