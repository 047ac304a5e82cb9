"""Looks at this process, and at files that were made of it."""

import json
import os
import re
import tempfile
from typing import Iterator, List, Optional, Sequence, Union

from ._command import ask, ask_agent
from ._results import Census, Diff, Findings, Graph, Paths, Snapshot, Sources, TypeRow

_Path = Union[str, "os.PathLike[str]"]


def census(collect: bool = False) -> Census:
    """How many objects of each type there are, and their bytes.

    Counts what `gc.get_objects()` would give, in a copy of the process. `collect` runs the collector
    first; without it, garbage is told apart. Raises LeakhuntError.
    """
    return Census.from_json(_census(collect))


def growth(collect: bool = False) -> "Growth":
    """Remembers the heap as it is now. `look()` of the result tells what came since.

    `collect` runs the collector before each look, as objgraph does. Raises LeakhuntError.
    """
    return Growth(collect)


class Growth:
    """Compares each look with the one before it, which is all that it keeps: some 100 kB of text."""

    def __init__(self, collect: bool = False) -> None:
        self._collect = collect
        self._first = self._last = _census(collect)

    def look(self) -> Census:
        """Looks again: a `Census` whose rows have `delta` and `bytes_delta` against the look before."""
        before, self._last = self._last, _census(self._collect)
        return _compared(before, self._last)

    def since_first(self) -> Census:
        """The last look against the first, without looking again."""
        return _compared(self._first, self._last)

    def __repr__(self) -> str:
        return f"<leakhunt.Growth: {Census.from_json(self._last)._title()}>"


def watch(rounds: Optional[int] = None, collect: bool = False) -> "Watch":
    """A context in which `round()` looks after each round of work.

    >>> with leakhunt.watch(rounds=4) as watch:
    ...     for _ in watch:
    ...         handle_one_request()
    >>> watch.grown
    []

    Iterating works `rounds` rounds, without end where that is None, and calls `round()` after each.
    `grown` are the types that had more objects after every round than after the one before. Rounds
    that warm up (imports, caches that fill) are to be done before the context.
    """
    return Watch(rounds, collect)


class Watch:
    """See `watch()`. `looks` has the look after each round, compared with the one before."""

    def __init__(self, rounds: Optional[int] = None, collect: bool = False) -> None:
        self.rounds = rounds
        self.looks: List[Census] = []
        self._collect = collect
        self._growth: Optional[Growth] = None

    def __enter__(self) -> "Watch":
        self._growth = Growth(self._collect)
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __iter__(self) -> Iterator[int]:
        while self.rounds is None or len(self.looks) < self.rounds:
            yield len(self.looks) + 1
            self.round()

    def round(self) -> Census:
        """A round is over: looks, and gives the look."""
        if self._growth is None:
            raise RuntimeError("use `with leakhunt.watch() as watch:`")
        self.looks.append(self._growth.look())
        return self.looks[-1]

    @property
    def grown(self) -> List[TypeRow]:
        """The types that grew in every round, as rows of the last look; the largest growth first."""
        if not self.looks:
            return []
        always = set.intersection(*({row.type for row in look.grown} for look in self.looks))
        return [row for row in self.looks[-1].grown if row.type in always]


def snapshot(path: _Path, collect: bool = False, names: bool = True) -> Snapshot:
    """Writes the whole heap to `path`: by its ending `.leakhunt` (the graph) or `.hpy` (guppy's text).

    Needs about a second for a million objects, in the copy and in the command. Without `names` no key
    of a dict is in the file. Raises LeakhuntError.
    """
    arguments = ["snapshot", "--output", os.fspath(path)]
    arguments += [] if names else ["--no-names"]
    arguments += ["--collect"] if collect else []
    return Snapshot.from_json(_last(ask_agent(*arguments)))


def diff(
    before: _Path,
    after: _Path,
    by: Optional[str] = None,
    fail_on: Union[str, Sequence[str]] = (),
) -> Diff:
    """What grew from one file to another: snapshots, `.hpy` or logs of `growth --log`.

    `by` is a kind such as `Type`; `fail_on` are limits as `diff --fail-on` takes them, such as
    `"shop.*:+100"`: then `passed` and `exceeded` tell. Raises LeakhuntError.
    """
    limits = [fail_on] if isinstance(fail_on, str) else fail_on
    arguments = ["diff", os.fspath(before), os.fspath(after)]
    arguments += ["--by", by] if by else []
    arguments += [f"--fail-on={limit}" for limit in limits]
    return Diff.from_json(_last(ask(*arguments, codes=(0, 1))))


def sources(
    type: Optional[str] = None,
    max: int = 5,
    seconds: Optional[float] = None,
    trace: bool = False,
) -> Sources:
    """Objects of a type, at most `max` of each, with who holds them.

    `type` is `module.qualname`, or its end: `Template`. Without `seconds` they are those of now; with it,
    the newest of those that appear within that time, while other threads work, and `trace` tells where
    they were made. Runs `repr()` of the objects, in a copy of the process. Raises LeakhuntError.
    """
    arguments = ["sources", "--max", str(max)]
    if type is not None:
        arguments += ["--match", rf"(^|\.){re.escape(type)}$"]
    if seconds is None:
        arguments += ["--rank", "gc", "--count", "1"]
    else:
        arguments += ["--count", "2", "--interval", f"{seconds}s", "--limit", "0"]
        arguments += ["--trace"] if trace else []
    return Sources.from_json(_last(ask_agent(*arguments)))


def path(obj: object) -> Paths:
    """How an object is held: `.paths[0].path`, from a root of the heap to it.

    Takes a snapshot into a temporary folder. `paths` is empty where only garbage refers to it; what an
    object that the collector does not track (a number, a text) is held by is found where a container
    refers to it. Raises LeakhuntError.
    """
    address = id(obj)
    del obj
    with tempfile.TemporaryDirectory(prefix="leakhunt-") as folder:
        file = os.path.join(folder, "heap.leakhunt")
        snapshot(file)
        return Paths.from_json(_last(ask("paths", file, "--addr", hex(address))))


def referrers_graph(obj: object, output: Optional[_Path] = None, depth: int = 3) -> Graph:
    """Draws what refers to an object, and what to that, `depth` steps far.

    `output` is a path that ends in `.svg`, `.dot` or `.json`. Without one the picture is in `svg` of the
    result, which a notebook shows. Raises LeakhuntError.
    """
    address = id(obj)
    del obj
    with tempfile.TemporaryDirectory(prefix="leakhunt-") as folder:
        file = os.path.join(folder, "heap.leakhunt")
        snapshot(file)
        picture = os.path.join(folder, "graph.svg") if output is None else os.fspath(output)
        arguments = ["--addr", hex(address), "--backrefs", "--depth", str(depth)]
        graph = Graph.from_json(_last(ask("graph", file, *arguments, "--output", picture)))
        if output is None:
            with open(picture, encoding="utf-8") as drawn:
                graph.svg = drawn.read()
        return graph


def findings(
    seconds: float = 60,
    scans: Optional[int] = None,
    trace: bool = False,
    accept: Optional[_Path] = None,
) -> Findings:
    """What leaks, as `leakhunt hunt` finds it: watches for that long while other threads work.

    `scans` is how many looks there are, 4 at least; `trace` tells where leaked objects were made, by
    tracemalloc; `accept` is a file of fingerprints that are known. Raises LeakhuntError.
    """
    arguments = ["hunt", "--for", f"{seconds}s"]
    arguments += ["--scans", str(scans)] if scans is not None else []
    arguments += ["--trace"] if trace else []
    arguments += ["--accept", os.fspath(accept)] if accept is not None else []
    document = "\n".join(ask_agent(*arguments))
    return Findings.from_json(document)


def _census(collect: bool) -> str:
    arguments = ["growth", "--count", "1", "--limit", "0"]
    return _last(ask_agent(*arguments, *(["--collect"] if collect else [])))


def _compared(before: str, after: str) -> Census:
    """Two looks as the command compares them: it reads them as the lines of a log."""
    lines = []
    for look, line in enumerate((before, after), start=1):
        lines.append(json.dumps({**json.loads(line), "look": look}))
    return Census.from_json(_last(ask("growth", "--replay", "-", input="\n".join(lines) + "\n")))


def _last(lines: List[str]) -> str:
    return lines[-1]
