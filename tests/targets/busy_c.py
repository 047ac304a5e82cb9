"""Spends its time in C code that keeps the GIL."""
say({"ready": os.getpid()})
while True:
    sum(range(3_000_000))
    poll()
