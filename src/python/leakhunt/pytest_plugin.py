"""Fails tests that leak: the plugin for pytest.

A test with the mark ``leakhunt``, and with ``--leakhunt`` every test, runs in rounds within one process.
After each round ``leakhunt check`` looks at the whole heap from outside; the test fails when a place
grew at every round after the warm-up.

A round is the whole protocol of pytest for the test: fixtures of its own scope are set up and torn down
anew in each, those of wider scopes stay. The first round is what is reported of the test otherwise; a
test that does not pass it is not repeated.
"""

import fnmatch
import os

import pytest

_ROUNDS = 5
_WARMUP = 2


def pytest_addoption(parser):
    group = parser.getgroup("leakhunt", "memory leaks")
    group.addoption(
        "--leakhunt",
        metavar="GLOB",
        nargs="?",
        const="*",
        default=None,
        help="check tests for leaks: all, or with --leakhunt=GLOB those whose node id matches",
    )
    group.addoption(
        "--leakhunt-rounds",
        metavar="N",
        type=int,
        default=_ROUNDS,
        help="rounds of a test that are judged, unless its mark says; at least 3 (default: 5)",
    )
    group.addoption(
        "--leakhunt-warmup",
        metavar="N",
        type=int,
        default=_WARMUP,
        help="rounds before these, unless its mark says; at least 1 (default: 2)",
    )
    group.addoption(
        "--leakhunt-accept",
        metavar="FILE",
        default=None,
        help="leaks that are known: a fingerprint at the start of each line, as for `leakhunt hunt`",
    )
    group.addoption(
        "--leakhunt-update",
        action="store_true",
        help="add the leaks that are found to the file of --leakhunt-accept instead of failing",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(args):
    # argparse would take the path in `pytest --leakhunt tests` for the GLOB.
    end = args.index("--") if "--" in args else len(args)
    args[:end] = ["--leakhunt=*" if arg == "--leakhunt" else arg for arg in args[:end]]


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "leakhunt(rounds=5, warmup=2): run the test in rounds, and fail it when a place of the heap "
        "grows at every round after the warm-up",
    )
    if config.option.leakhunt_update and not config.option.leakhunt_accept:
        raise pytest.UsageError("--leakhunt-update needs a file to write: --leakhunt-accept FILE")
    accept = config.option.leakhunt_accept
    if accept and not config.option.leakhunt_update and not os.path.isfile(accept):
        raise pytest.UsageError(
            "--leakhunt-accept %s: there is no such file; --leakhunt-update makes one" % accept
        )
    config.pluginmanager.register(_Summary(), "leakhunt-summary")


def _rounds_of(item):
    """The rounds that are judged and those before, or None where the item is not checked."""
    if not isinstance(item, pytest.Function):
        return None
    option = item.config.option
    rounds, warmup = option.leakhunt_rounds, option.leakhunt_warmup
    mark = item.get_closest_marker("leakhunt")
    if mark is not None:
        unknown = set(mark.kwargs) - {"rounds", "warmup"}
        if mark.args or unknown:
            raise pytest.UsageError(
                item.nodeid + ": the mark leakhunt takes rounds=N and warmup=N, nothing else"
            )
        rounds = mark.kwargs.get("rounds", rounds)
        warmup = mark.kwargs.get("warmup", warmup)
    elif option.leakhunt is None or not fnmatch.fnmatchcase(item.nodeid, option.leakhunt):
        return None
    if rounds < 3 or warmup < 1:
        raise pytest.UsageError(item.nodeid + ": leakhunt needs 3 rounds and 1 to warm up at least")
    return rounds, warmup


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    wanted = _rounds_of(item)
    if wanted is None or item.config.option.setuponly or item.config.option.usepdb:
        return None
    from . import _pytest_rounds

    _pytest_rounds.run(item, nextitem, *wanted)
    return True


class _Summary:
    """What became of the tests that were checked, by their reports: the controller of xdist gets
    nothing else from its workers."""

    def __init__(self):
        self.counts = {"no_leak": 0, "accepted": 0, "leak": 0}
        self.others = []

    def pytest_runtest_logreport(self, report):
        outcome = getattr(report, "leakhunt", None)
        if outcome in self.counts:
            self.counts[outcome] += 1
        elif outcome is not None:
            self.others.append("%s: %s" % (report.nodeid, outcome))

    def pytest_terminal_summary(self, terminalreporter):
        n_checked = sum(self.counts.values())
        if not n_checked and not self.others:
            return
        terminalreporter.section("leakhunt")
        terminalreporter.line(
            "%d checked, %d with a leak, %d with known leaks only"
            % (n_checked, self.counts["leak"], self.counts["accepted"])
        )
        for line in self.others:
            terminalreporter.line("not checked: " + line)
