"""A handler that runs a thousand times a second, beside allocations."""
n_ticks = 0


def on_tick(number, frame):
    global n_ticks
    n_ticks += 1


signal.signal(signal.SIGALRM, on_tick)
atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
say({"ready": os.getpid()})
while True:
    kept = [bytes(number) for number in range(2000)]
    poll()
