"""Gets the orphans of its children, as the first process of a container does."""
import ctypes

SET_CHILD_SUBREAPER = 36
n_signals = 0


def count(signum, frame):
    global n_signals
    n_signals += 1


class Slow:
    def __repr__(self):
        while True:
            pass


def children():
    """What is waited for, whatever its kind of end; -1 for nothing at all."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        return -1


signal.signal(signal.SIGCHLD, count)
ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
kept = [Slow() for _ in range(3)]
serve()
