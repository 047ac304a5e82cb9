"""Twenty threads that allocate; the first one answers."""


def work():
    while True:
        kept = [bytes(number % 5000) for number in range(2000)]
        {str(number): kept for number in range(200)}


for index in range(20):
    threading.Thread(target=work, name="worker-%d" % index, daemon=True).start()
say({"ready": os.getpid()})
while True:
    if select.select([0], [], [], 1)[0]:
        poll()
