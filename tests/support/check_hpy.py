"""What guppy itself makes of the files in argv: their snapshots as JSON, with what is wrong with them.

guppy keeps some rules in all that it writes, and its Profile Browser asserts some of them.
"""
import io
import json
import sys

from guppy import hpy

ORDERS = {
    "SetFormat": lambda row: (-row[1], row[2]),
    "IdFormat": lambda row: -row[1],
    "DiffFormat": lambda row: -abs(row[1]),
}


def rows_of(stat):
    return [[row.count, row.size, row.name] for row in stat.get_rows()]


def check(stat, rows):
    if len(rows) != stat.numrows:
        yield "%d rows, and not %d" % (len(rows), stat.numrows)
    if sum(row[0] for row in rows) != stat.count:
        yield "the counts do not add up to %d" % stat.count
    if sum(row[1] for row in rows) != stat.size:
        yield "the sizes do not add up to %d" % stat.size
    if rows != sorted(rows, key=ORDERS[stat.format_name]):
        yield "the rows are not in guppy's order"
    if len({row[2] for row in rows}) != len(rows):
        yield "a name stands there twice"
    if not all(row[2].strip() for row in rows):
        yield "a name is empty"
    copy = io.StringIO()
    stat.dump(copy)
    if rows_of(hp.load(io.StringIO(copy.getvalue()))) != rows:
        yield "guppy's own copy of it is another"
    str(stat)


def snapshots(path):
    with open(path) as file:
        while True:
            try:
                stat = hp.load(file)
            except StopIteration:
                return
            rows = rows_of(stat)
            yield {
                "format": stat.format_name,
                "header": stat.kindheader,
                "count": stat.count,
                "size": stat.size,
                "rows": rows,
                "wrong": list(check(stat, rows)),
            }


hp = hpy()
print(json.dumps([list(snapshots(path)) for path in sys.argv[1:]]))
