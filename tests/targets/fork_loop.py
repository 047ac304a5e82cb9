"""Forks children that end as Python programs do, beside a thread that allocates.

`n_hung` counts the children that did not end within ten seconds: each is a harm.
"""
import time

n_forks = 0
n_hung = 0
n_failed = 0


def allocate():
    while True:
        [bytes(number) for number in range(3000)]


def wait_for(child):
    """Waits by polling, so that a child that hangs cannot make this process hang."""
    global n_hung, n_failed
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            n_failed += status != 0
            return
        time.sleep(0.0005)
    n_hung += 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


threading.Thread(target=allocate, name="allocator", daemon=True).start()
say({"ready": os.getpid()})
while True:
    child = os.fork()
    if child == 0:
        sys.exit(0)
    n_forks += 1
    wait_for(child)
    poll()
