"""Runs byte code without a pause."""
say({"ready": os.getpid()})
while True:
    total = 0
    for number in range(200_000):
        total += number % 7
    poll()
