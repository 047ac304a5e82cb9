"""Spends its time in a regular expression that backtracks: C code that keeps the GIL for long."""
import re

slow = re.compile(r"(a+)+$")
text = "a" * 21 + "b"
say({"ready": os.getpid()})
while True:
    slow.match(text)
    poll()
