"""Stands at the start of every target: answers the test over stdin and stdout.

A request is one line of JSON, {"eval": EXPRESSION} or {"exec": STATEMENTS}; the answer is one line
that starts with MARK. All else on stdout is noise that the test complains of.
"""
import _signal
import atexit
import gc
import json
import os
import select
import signal
import sys
import threading
import warnings

warnings.simplefilter("ignore")
MARK = b"\x01"
EXIT_CODE = 7


def say(value):
    os.write(1, MARK + json.dumps(value).encode() + b"\n")


def read_line():
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(EXIT_CODE)
        line += byte
    return json.loads(line)


def answer(request):
    try:
        if "exec" in request:
            exec(request["exec"], globals())
            say({"ok": None})
        else:
            say({"ok": eval(request["eval"], globals())})
    except Exception as error:
        say({"error": repr(error)})


def serve():
    """For a target that does nothing but wait."""
    say({"ready": os.getpid()})
    while True:
        answer(read_line())


def poll():
    """For a busy target, once in each round of its work. Holds still between `hold` and `go`."""
    while select.select([0], [], [], 0)[0]:
        request = read_line()
        answer(request)
        while request.get("hold"):
            request = read_line()
            answer(request)


def handler_name(handler):
    # Of `_signal`: `signal.getsignal` leaves cycles of exceptions behind on some versions.
    if handler is None or isinstance(handler, int):
        return repr(handler)
    # Not its `repr`, which may tell of the state of what it holds.
    return getattr(handler, "__qualname__", None) or f"{type(handler)} at {id(handler)}"


def state():
    """What an attach must not change, as far as Python can tell."""
    return {
        "atexit": atexit._ncallbacks(),
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug(), len(gc.callbacks)],
        "frozen": gc.get_freeze_count(),
        "thread states": len(sys._current_frames()),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "switch interval": sys.getswitchinterval(),
        "trace": [repr(sys.gettrace()), repr(sys.getprofile())],
        "recursion limit": sys.getrecursionlimit(),
        "signals": [handler_name(_signal.getsignal(n)) for n in range(1, 32)],
        "modules": len(sys.modules),
    }
