"""What every probe has: it runs in a copy of the target, before the probe's own source.

The probe defines `describe(object)`, a generator of what is known about an object, made of dict,
list, str, int, float, bool and None. Each value becomes a line of JSON.
"""
import sys


def module(name):
    """A module of the target, if it is loaded: importing one might wait for a lock that a thread
    held when the copy was made."""
    return sys.modules.get(name)


def own_ident():
    """Ident of the thread that this runs in. `get_ident` may be another's, as where gevent has patched it."""
    frame = sys._getframe()
    for ident, newest in sys._current_frames().items():
        if newest is frame:
            return ident
    return 0


# No finalizer of the target is to run here.
(module("gc") or __import__("gc")).disable()


def short(text, most=200):
    """A text that is no longer than `most`."""
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def text_of(value, most=200):
    """The `repr` of a value, or which exception it raised."""
    try:
        return short(repr(value), most)
    except Exception as error:
        return "<%s in repr of %s>" % (type(error).__name__, type(value).__name__)


plain = {}


def quoted(text):
    """As JSON has it. Names come again and again: so many of them are remembered."""
    found = plain.get(text)
    if found is None:
        found = escaped(text)
        if len(plain) < 10000 and len(text) <= 200:
            plain[text] = found
    return found


def escaped(text):
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return '"' + text + '"'
    pieces = []
    for character in text:
        code = ord(character)
        if character in '"\\':
            pieces.append("\\" + character)
        elif code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000:
            # A lone surrogate is no character of JSON's.
            pieces.append("\\u%04x" % (code if code < 0xD800 else 0xFFFD))
        else:
            pieces.append(character)
    return '"' + "".join(pieces) + '"'


class Encoded:
    """JSON that is made already, as of what many objects have alike."""
    __slots__ = ("text",)

    def __init__(self, text):
        self.text = text


def json(value):
    kind = type(value)
    if value is None:
        return "null"
    if kind is str:
        return quoted(value)
    if kind is int:
        return str(value) if -1 << 63 < value < 1 << 63 else quoted(str(value))
    if kind is Encoded:
        return value.text
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        is_number = value - value == 0
        return repr(value) if is_number else "null"
    if kind is dict:
        pairs = [quoted(str.__str__(name)) + ":" + json(one) for name, one in value.items()]
        return "{" + ",".join(pairs) + "}"
    if kind in (list, tuple):
        return "[" + ",".join(map(json, value)) + "]"
    if isinstance(value, str):
        return quoted(str.__str__(value))
    if isinstance(value, int):
        return json(int.__int__(value))
    if isinstance(value, float):
        return json(float.__float__(value))
    return quoted(text_of(value))


class Rows:
    """What the agent calls: `begin` with an object, then `next` until it answers no text."""

    def begin(self, object):
        self.values = self.each(object)

    def each(self, object):
        yield from describe(object) or ()

    def next(self):
        try:
            return json(next(self.values))
        except StopIteration:
            return None
        except BaseException as error:
            self.values = iter(())
            return json({"error": type(error).__name__ + ": " + text_of(error)})


rows = Rows()
