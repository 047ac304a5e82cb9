"""Has a door, and nobody may trace it but root: as in a container. `sys.argv[1]`: the user to become."""
import ctypes

import leakhunt
import leakhunt._looks

if len(sys.argv) > 1:
    os.setgroups([])
    os.setgid(int(sys.argv[1]))
    os.setuid(int(sys.argv[1]))
PR_SET_DUMPABLE = 4
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


class Thing:
    pass


THINGS = [Thing() for _ in range(123)]
path = leakhunt.listen()
serve()
