"""Objects whose `__repr__` raises, loops, prints, boasts and remembers."""
calls = []


class Raising:
    def __repr__(self):
        raise ValueError("no repr here")


class Looping:
    def __init__(self, is_endless):
        self.is_endless = is_endless

    def __repr__(self):
        while self.is_endless:
            pass
        return "<a short one>"


class Printing:
    def __repr__(self):
        print("this must not reach the target's stdout", flush=True)
        print("nor this its stderr", file=sys.stderr, flush=True)
        os.write(1, b"nor this\n")
        return "<Printing>"


class Huge:
    def __repr__(self):
        return "x" * 3_000_000


class Unicode:
    def __repr__(self):
        return "<naïve 🐍 \udc80 \n two lines>"


class Recording:
    """Remembers each call that is made of it."""

    def __init__(self):
        self.secret = "safe"

    def __repr__(self):
        calls.append("__repr__")
        return "<Recording>"

    def __len__(self):
        calls.append("__len__")
        return 3

    def __getattr__(self, name):
        calls.append("__getattr__")
        raise AttributeError(name)

    def __getattribute__(self, name):
        calls.append("__getattribute__")
        return object.__getattribute__(self, name)

    def __hash__(self):
        calls.append("__hash__")
        return 1

    def __eq__(self, other):
        calls.append("__eq__")
        return self is other

    def __sizeof__(self):
        calls.append("__sizeof__")
        return 4242

    @property
    def trap(self):
        calls.append("trap")


class Exiting:
    def __repr__(self):
        os._exit(99)


class Crashing:
    def __repr__(self):
        import ctypes

        return ctypes.string_at(8)


kept = [
    [Raising() for _ in range(3)],
    [Looping(is_endless) for is_endless in (False, True, False)],
    [Printing() for _ in range(3)],
    [Huge(), Unicode()],
    [Recording() for _ in range(5)],
    [Exiting(), Crashing()],
]
calls.clear()
serve()
