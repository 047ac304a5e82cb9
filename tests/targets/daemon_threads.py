"""Ends while daemon threads are in the middle of Python code."""


def work():
    while True:
        sorted(range(1000), key=lambda number: -number)


for index in range(4):
    threading.Thread(target=work, daemon=True).start()
serve()
