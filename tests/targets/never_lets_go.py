"""Keeps the GIL for ever, in a regular expression that backtracks."""
import re


def keep():
    re.compile(r"(a+)+$").match("a" * 100 + "b")


threading.Thread(target=threading.Event().wait, name="beside", daemon=True).start()
say({"ready": os.getpid()})
keep()
