"""Runs the fixture named in argv from the folder in argv: `sys.modules[NAME].serve` in a thread."""
import importlib

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
fixture = importlib.import_module(sys.argv[2])


def start(seconds):
    """First a while in this thread, so that what fills once is full."""
    fixture.serve(0.7)
    gc.collect()
    threading.Thread(target=fixture.serve, args=(seconds,), name="fixture", daemon=True).start()


serve()
