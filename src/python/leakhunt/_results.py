"""What the command tells, as plain values: the fields of its JSON, in docs/json.md."""

import dataclasses
import html
import json
import typing
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional


def _value(kind, value):
    """JSON as a value of that type. Fields that are not known here are passed over."""
    arguments = typing.get_args(kind)
    if value is None or kind is Any:
        return value
    if typing.get_origin(kind) is list:
        return [_value(arguments[0], one) for one in value]
    if type(None) in arguments:
        return _value(arguments[0], value)
    if dataclasses.is_dataclass(kind):
        kinds = typing.get_type_hints(kind)
        known = {one.name for one in dataclasses.fields(kind)}
        return kind(**{key: _value(kinds[key], one) for key, one in value.items() if key in known})
    return value


@dataclass
class Result:
    """A result: it shows as a table, and knows the JSON that it was made of."""

    def to_json(self) -> str:
        """The document as the command wrote it, with the fields that this class does not know."""
        made_of = getattr(self, "_document", None)
        return made_of or json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, document: str):
        """The value of such a document."""
        result = _value(cls, json.loads(document))
        result._document = document
        return result

    def _title(self) -> str:
        return ""

    def _table(self):
        """Names of columns, and rows of cells; numbers stand to the right."""
        return (), []

    def __repr__(self) -> str:
        columns, rows = self._table()
        texts = [list(columns), *([_text(cell) for cell in row] for row in rows)]
        widths = [max(len(row[at]) for row in texts) for at in range(len(columns))]
        is_number = [bool(rows) and _is_number(rows[0][at]) for at in range(len(columns))]
        lines = [self._title()]
        for row in texts if rows else ():
            cells = (
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, is_number)
            )
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        columns, rows = self._table()
        parts = ["<div><p>", html.escape(self._title()), "</p><table><thead><tr>"]
        parts.extend(f"<th>{html.escape(column)}</th>" for column in columns)
        parts.append("</tr></thead><tbody>")
        for row in rows:
            cells = "".join(f"<td>{html.escape(_text(cell))}</td>" for cell in row)
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</tbody></table></div>")
        return "".join(parts)


def _is_number(cell):
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def _text(cell):
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.3g}"
    if isinstance(cell, int):
        return f"{cell:,}"
    # Names and texts of objects may hold anything.
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(cell))


# Rows that a table shows at most; the lists have all.
_MOST_ROWS = 20


@dataclass
class TypeRow:
    """A type at a look. `type` is `module.qualname`, builtins bare."""

    type: str
    count: int
    delta: int = 0
    bytes: int = 0
    bytes_delta: int = 0
    garbage: Optional[int] = None
    garbage_bytes: int = 0
    frozen: int = 0
    first_seen: int = 0
    estimate: bool = False


@dataclass(repr=False)
class Census(Result):
    """One look: all objects that the collector tracks, by type.

    `types` is in the order of `type`; the table shows those of the most bytes, or the most growth.
    `garbage` are objects that nothing reaches and that are not freed yet, or None where that
    is not known.
    """

    pid: int
    time: str
    look: int
    pause_ms: float
    objects: int
    bytes: int
    types: List[TypeRow]
    garbage: Optional[int] = None
    python: str = ""
    place: str = "copy"
    skipped_type: Optional[str] = None

    @property
    def grown(self) -> List[TypeRow]:
        """The types with more objects than at the look before, those with the most more first."""
        grown = [row for row in self.types if row.delta > 0]
        return sorted(grown, key=lambda row: (-row.delta, row.type))

    def _title(self):
        return f"{self.objects:,} objects, {self.bytes:,} bytes, pause {self.pause_ms:.3g} ms"

    def _table(self):
        if self.look == 1:
            rows = sorted(self.types, key=lambda row: (-row.bytes, row.type))[:_MOST_ROWS]
            return ("type", "count", "bytes"), [(row.type, row.count, row.bytes) for row in rows]
        rows = self.grown[:_MOST_ROWS]
        cells = [(row.type, row.count, row.delta, row.bytes, row.bytes_delta) for row in rows]
        return ("type", "count", "more", "bytes", "more bytes"), cells


@dataclass(repr=False)
class Snapshot(Result):
    """A file that was written. `path` is where, `objects`, `bytes` and `references` what is in it."""

    path: str
    pid: int
    python: str
    pause_ms: float
    walk_ms: float
    objects: int
    bytes: int
    file_bytes: int
    rss_bytes: int = 0
    references: Optional[int] = None
    garbage: Any = None
    collector: Any = None
    skipped_type: Optional[str] = None

    def _title(self):
        return f"{self.path}: {self.objects:,} objects, {self.bytes:,} bytes, pause {self.pause_ms:.3g} ms"


@dataclass
class DiffRow:
    """A kind of objects in two files."""

    name: str
    objects_before: int
    objects_after: int
    objects_delta: int
    bytes_before: int
    bytes_after: int
    bytes_delta: int
    estimate: bool = False


@dataclass(repr=False)
class Diff(Result):
    """What grew from one file to another. `passed` is None where no limit was given."""

    sort: str
    by: str
    total: DiffRow
    rows: List[DiffRow]
    before: Dict[str, Any] = field(default_factory=dict)
    after: Dict[str, Any] = field(default_factory=dict)
    identity: Any = None
    exceeded: List[Any] = field(default_factory=list)
    passed: Optional[bool] = None

    def _title(self):
        total = self.total
        return f"{total.objects_delta:+,} objects, {total.bytes_delta:+,} bytes"

    def _table(self):
        changed = [row for row in self.rows if row.objects_delta or row.bytes_delta]
        cells = [(row.name, row.objects_delta, row.bytes_delta) for row in changed[:_MOST_ROWS]]
        return (self.by, "objects", "bytes"), cells


@dataclass
class Holder:
    """The nearest place that has a name and is not Python's own."""

    name: str
    type: str
    package: Optional[str] = None
    path: Optional[str] = None


@dataclass
class Source:
    """An object, who holds it and where it was made."""

    address: int
    type: str
    count_before: int
    count: int
    holder: Optional[Holder]
    path: Optional[str]
    text: Optional[str]
    note: str = ""
    holder_share_estimate: Optional[float] = None
    evaluates: bool = False
    file: Optional[str] = None
    made_at: List[str] = field(default_factory=list)


@dataclass(repr=False)
class Sources(Result):
    """Objects of types that grow, and who holds them."""

    look: int
    pause_ms: float
    objects: List[Source]
    objects_total: int = 0
    bytes_total: int = 0
    types_grown: int = 0
    notes: List[str] = field(default_factory=list)

    def _title(self):
        return f"{len(self.objects):,} objects of {self.objects_total:,}"

    def _table(self):
        rows = [(one.type, one.path, one.text) for one in self.objects]
        return ("type", "path", "object"), rows


@dataclass
class HeldPath:
    """A way from a root to an object; `evaluates`: typed after `import sys`, it gives the object."""

    address: int
    type: str
    bytes: int
    path: str
    evaluates: bool
    holder: Optional[Holder] = None


@dataclass(repr=False)
class Paths(Result):
    """How objects are held. `paths` is empty where nothing alive refers to them."""

    objects: int
    bytes: int
    paths: List[HeldPath]
    garbage_objects: int = 0
    branches: List[Any] = field(default_factory=list)

    def _title(self):
        return self.paths[0].path if len(self.paths) == 1 else f"{len(self.paths):,} paths"

    def _table(self):
        if len(self.paths) == 1:
            return (), []
        return ("type", "path"), [(one.type, one.path) for one in self.paths[:_MOST_ROWS]]


@dataclass
class GraphNode:
    """An object in a picture; `left_out` neighbours are not drawn."""

    address: int
    type: str
    text: str
    depth: int
    is_start: bool
    root: Optional[str] = None
    left_out: int = 0


@dataclass(repr=False)
class Graph(Result):
    """What refers to an object, and what to that. `edges` have `from`, `to` and `label`.

    `svg` is the picture where no file was asked for; `output` was its place until then.
    """

    output: str
    direction: str
    nodes: List[GraphNode]
    edges: List[Dict[str, Any]]
    svg: Optional[str] = None

    def _title(self):
        where = f"{self.output}: " if self.svg is None else ""
        return f"{where}{len(self.nodes):,} objects, {len(self.edges):,} references"

    def _repr_html_(self) -> str:
        return self.svg or super()._repr_html_()

    def _table(self):
        rows = [(one.depth, one.type, one.text, one.root) for one in self.nodes[:_MOST_ROWS]]
        return ("depth", "type", "object", "root"), rows


@dataclass
class FindingHolds:
    """What there is more and more of at a place."""

    type: str
    objects_first: int
    objects: int
    is_key: bool = False


@dataclass
class Finding:
    """A place that grows, or what no path explains."""

    kind: str
    place: str
    fingerprint: str
    holds: List[FindingHolds] = field(default_factory=list)
    objects_per_s: float = 0.0
    bytes_per_s: float = 0.0
    share_bytes: int = 0
    exclusive_bytes: int = 0
    path: Optional[str] = None
    package: Optional[str] = None
    holder_type: Optional[str] = None
    made_at: List[str] = field(default_factory=list)
    why: str = ""
    accepted: bool = False


@dataclass(repr=False)
class Findings(Result):
    """The verdict of a hunt: `leak`, `no_leak` and others, and what leaks, the worst first."""

    verdict: str
    looks: int
    seconds: float
    findings: List[Finding]
    longest_pause_ms: float = 0.0
    objects_total: int = 0
    rss_bytes: int = 0
    unclear: List[Any] = field(default_factory=list)
    memory: Any = None
    notes: List[str] = field(default_factory=list)

    def _title(self):
        return f"{self.verdict}: {len(self.findings)} found in {self.looks} looks, {self.seconds:.3g} s"

    def _table(self):
        cells = [(one.place, one.objects_per_s, one.bytes_per_s, one.path) for one in self.findings]
        return ("place", "objects/s", "bytes/s", "path"), cells
