"""Has callbacks at exit that compare strangely, and exits as it should only if each of them ran."""
ran = []


class Raises:
    def __eq__(self, other):
        raise RuntimeError("not to be compared")

    def __call__(self):
        ran.append("raises")


class Equal:
    def __eq__(self, other):
        return True

    def __call__(self):
        ran.append("equal")


def last():
    os._exit(EXIT_CODE if ran == ["equal", "raises"] else 99)


def agent_is_there():
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/comm") as comm:
                if comm.read().strip() == "leakhunt":
                    return True
        except OSError:
            pass  # it has just ended
    return False


def outlive_the_agent():
    say({"ok": "ending"})
    while agent_is_there():
        select.select([], [], [], 0.01)


atexit.register(last)
atexit.register(Raises())
atexit.register(Equal())
serve()
