"""Places that hold much on demand, and what each type retains as the interpreter sees it.

`fill_registry(n)`, `fill_two(n)`, `fill_rows(n)` add `n` objects to a place each.
"""


class Session:
    def __init__(self, name):
        self.name = name
        self.token = bytearray(200)


class Job:
    def __init__(self, name):
        self.name = name
        self.payload = bytearray(300)


class Registry:
    def __init__(self):
        self.sessions = {}


class Service:
    def __init__(self):
        self.registry = Registry()


class Row:
    __slots__ = ("payload", "shared", "next")


SERVICE = Service()
BY_NAME = {}
BY_NUMBER = {}
ROWS = []
SHARED = bytearray(5000)


def fill_registry(n):
    sessions = SERVICE.registry.sessions
    for _ in range(n):
        name = "session %d" % len(sessions)
        sessions[name] = Session(name)


def fill_two(n):
    for _ in range(n):
        job = Job("job %d" % len(BY_NAME))
        BY_NAME[job.name] = BY_NUMBER[len(BY_NUMBER) + 1000000] = job


def fill_rows(n):
    """Each third row is in the one before it alone, and all have something in common."""
    for number in range(n):
        row = Row()
        row.payload = bytearray(number % 700 + 100)
        row.shared = SHARED
        row.next = None
        if number % 3 == 2:
            ROWS[-1].next = row
        else:
            ROWS.append(row)


def lost_with(cls):
    """The bytes of all objects of a class, and of what only they lead to: what nothing else has a
    reference to, by its reference count."""
    known = {}
    pending = [thing for thing in gc.get_objects() if type(thing) is cls]
    pending.extend(thing.next for thing in pending if isinstance(thing.next, cls))
    members = {id(thing) for thing in pending}
    probe = object()
    probe_id = id(probe)
    pending.append(probe)
    del probe
    while pending:
        thing = pending.pop()
        if id(thing) not in known and not isinstance(thing, type):
            known[id(thing)] = thing
            pending.extend(gc.get_referents(thing))
    thing = None
    n_inner = dict.fromkeys(known, 0)
    for thing in known.values():
        for referent in gc.get_referents(thing):
            if id(referent) in n_inner:
                n_inner[id(referent)] += 1
    thing = referent = None
    # The references of this function itself are those that the probe has.
    counts = {key: sys.getrefcount(known[key]) for key in list(known)}
    n_ours = counts[probe_id]
    kept = [
        key for key in known
        if key not in members and key != probe_id and counts[key] - n_ours > n_inner[key]
    ]
    alive = set()
    while kept:
        key = kept.pop()
        if key not in alive:
            alive.add(key)
            kept.extend(
                id(referent) for referent in gc.get_referents(known[key])
                if id(referent) in known and id(referent) not in members
            )
    lost = [key for key in known if key not in alive and key != probe_id]
    return [len(members), sum(sys.getsizeof(known[key]) for key in lost)]


serve()
