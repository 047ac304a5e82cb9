"""Twenty threads that allocate; the first one answers."""
import time

# With the GIL one works at a time. Without it all would, and starve who is to look at them.
has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()


def work():
    while True:
        kept = [bytes(number % 5000) for number in range(2000)]
        {str(number): kept for number in range(200)}
        if not has_gil:
            time.sleep(0.1)


for index in range(20):
    threading.Thread(target=work, name="worker-%d" % index, daemon=True).start()
say({"ready": os.getpid()})
while True:
    if select.select([0], [], [], 1)[0]:
        poll()
