"""leakhunt from within: looks at the heap of this process, and a door for the command line.

>>> import leakhunt
>>> before = leakhunt.growth()          # remembers the heap as it is
>>> leaked = [object() for _ in range(3)] + [[] for _ in range(40)]
>>> look = before.look()                # what came since
>>> [(row.type, row.delta) for row in look.grown[:1]]
[('list', 41)]

`listen()` lets `leakhunt growth --pid N` in where ptrace is refused, as in most containers.
`round()` says to `leakhunt check` that a round of the program is done.

Nothing here reads the heap in Python: each call starts the command `leakhunt` of the same installation,
which asks the agent in this process for a look at a copy-on-write clone. The process stands still for
about a millisecond, and 13 to 16 ms for each GB of memory. Sizes are in bytes, times in milliseconds
or seconds, as the names of fields say. Errors are `LeakhuntError`.
"""

from ._errors import LeakhuntError, LeakhuntWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._door import door, listen, unlisten
    from ._looks import (
        Growth,
        Watch,
        census,
        diff,
        findings,
        growth,
        path,
        referrers_graph,
        snapshot,
        sources,
        watch,
    )
    from ._results import Census, Diff, Findings, Graph, Paths, Snapshot, Sources
    from .rounds import round

# Loaded when it is first used: a door alone needs nothing of what starts the command, and neither
# rounds nor the plugin for pytest need the native part.
_LATER = {
    "_door": ("door", "listen", "unlisten"),
    "_looks": (
        "Growth",
        "Watch",
        "census",
        "diff",
        "findings",
        "growth",
        "path",
        "referrers_graph",
        "snapshot",
        "sources",
        "watch",
    ),
    "rounds": ("round",),
    "_results": ("Census", "Diff", "Findings", "Graph", "Paths", "Snapshot", "Sources"),
}

__all__ = ["LeakhuntError", "LeakhuntWarning"]
for _names in _LATER.values():
    __all__.extend(_names)
del _names


def __getattr__(name: str) -> object:
    import importlib

    for module, names in _LATER.items():
        if name in names:
            value = getattr(importlib.import_module("." + module, __name__), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> "list[str]":
    return sorted(__all__)
