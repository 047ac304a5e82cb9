"""Runs one test of pytest in rounds, and has its heap looked at after each."""

import copy
import re
import warnings

from _pytest.runner import CallInfo, runtestprotocol

from ._check import Check, is_supported, open_door
from ._errors import LeakhuntError
from ._pytest_screen import Screen

# What these keep from test to test is theirs, not the program's.
_OF_TESTING = {
    "_pytest",
    "coverage",
    "execnet",
    "hypothesis",
    "leakhunt",
    "pluggy",
    "pytest",
    "pytest_asyncio",
    "pytest_cov",
    "pytest_randomly",
    "xdist",
}
# The exit code of the command where it cannot get in.
_REFUSED = 3
# Where pytest has what a fixture gave: that is the program's again.
_VALUE_OF_FIXTURE = re.compile(r"\['(\w+)'\][^']*\.cached_result\[0\](.*)")


def run(item, nextitem, rounds, warmup):
    """Takes the place of pytest's own protocol for an item."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _reports(item, nextitem, rounds, warmup):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


class _Rounds:
    """The rounds of one test."""

    def __init__(self, item):
        self.item = item
        # Whoever is torn down for a next test of the same scopes keeps what is of wider scopes.
        self.sibling = copy.copy(item)
        self.n_done = 0

    def run(self):
        """One more; its reports."""
        self.n_done += 1
        return runtestprotocol(self.item, log=False, nextitem=self.sibling)

    def repeat(self, check):
        """Repeats a test that has done its first round until no more is wanted. The reports of a round
        that does not pass, or None."""
        n_sections = len(self.item._report_sections)
        n_properties = len(self.item.user_properties)
        while check.round():
            # pytest keeps the warnings of all rounds until the item ends.
            with warnings.catch_warnings(record=True):
                reports = self.run()
            del self.item._report_sections[n_sections:]
            del self.item.user_properties[n_properties:]
            if not all(report.passed for report in reports):
                return reports
            del reports
        return None


def _reports(item, nextitem, rounds, warmup):
    """The reports of the first round, changed where a later one has something to say."""
    test = _Rounds(item)
    reports = test.run()
    try:
        if all(report.passed for report in reports):
            if not is_supported():
                _tell(reports, "leakhunt needs Linux on x86-64")
            elif _is_asked_for_by_itself(item) or not Screen.is_possible():
                _check(test, reports, rounds, warmup)
            else:
                _screen(test, reports, rounds, warmup)
    finally:
        reports.extend(_teardown(item, nextitem))
    return reports


def _is_asked_for_by_itself(item):
    return item.get_closest_marker("leakhunt") is not None


def _screen(test, reports, rounds, warmup):
    """Checks a test of many, in most of which nothing is left at all."""
    # Twice, as some grow warm slowly; then it is.
    for before in (warmup, 1):
        screen = Screen(rounds, before)
        failed = test.repeat(screen)
        if failed is not None:
            _tell_of(test, reports, failed)
            return
        if not screen.may_leak():
            _tell(reports, "no_leak")
            return
    _check(test, reports, rounds, 1)


def _check(test, reports, rounds, warmup):
    try:
        check = Check(rounds, warmup, test.item.config.option.leakhunt_accept)
        with check:
            failed = test.repeat(check)
        if failed is None:
            _judge(test.item, reports, check.verdict())
    except LeakhuntError as error:
        if error.exit_code == _REFUSED and open_door():
            _check(test, reports, rounds, warmup)
            return
        _fail(reports, str(error))
        return
    if failed is not None:
        _tell_of(test, reports, failed)


def _tell_of(test, reports, failed):
    """What is said of a test that cannot be repeated."""
    what = "it fails when it is repeated, in round %d" % test.n_done
    reason = _reason(failed)
    if reason:
        what += ": " + reason
    if _is_asked_for_by_itself(test.item):
        # Then it has to bear it.
        reports[:] = failed
        _call(reports).sections.append(("leakhunt", what))
    _tell(reports, what)


def _reason(reports):
    """The first line of what pytest says of the report that did not pass."""
    for report in reports:
        if not report.passed:
            crash = getattr(report.longrepr, "reprcrash", None)
            text = crash.message if crash is not None else report.longreprtext
            return text.strip().split("\n")[0][:200]
    return ""


def _is_of_testing(leak):
    owner = leak["owner_type"] or leak["package"] or ""
    return owner.split(".")[0] in _OF_TESTING and not _VALUE_OF_FIXTURE.search(leak["place"])


def _judge(item, reports, verdict):
    found = [one for one in verdict["findings"] if not _is_of_testing(one)]
    leaks = [one for one in found if not one["accepted"]]
    if leaks and item.config.option.leakhunt_update:
        _accept(item.config.option.leakhunt_accept, item.nodeid, leaks)
        _tell(reports, "accepted")
    elif leaks:
        _fail(reports, _text(verdict, leaks), outcome="leak")
    else:
        _tell(reports, "accepted" if found else "no_leak")


def _text(verdict, leaks):
    lines = ["this test leaks: what follows grew at each of %d rounds" % verdict["rounds"]]
    for leak in leaks:
        place, path = leak["place"], leak["path"]
        site = leak["file"] and ":".join(str(part) for part in (leak["file"], leak["line"]) if part)
        fixture = _VALUE_OF_FIXTURE.search(place)
        if fixture:
            # Whichever module leads to pytest's session says nothing.
            place, path, site = "the value of fixture %s%s" % fixture.groups(), None, None
        lines += ["", place + (" (%s)" % leak["holder_type"] if leak["holder_type"] else "")]
        counts = ", ".join(map(str, leak["counts"]))
        held = [
            "%d %s, were %d" % (one["objects"], one["type"], one["objects_first"])
            for one in leak["holds"]
        ]
        for title, text in [
            (leak["grows_by"] if counts else "", counts),
            ("holds", "; ".join(held)),
            ("inside", leak["inside"]),
            ("also in", ", ".join(leak["also"])),
            ("path", path),
            ("in", site),
            ("why", leak["why"]),
            ("known as", leak["fingerprint"]),
        ]:
            if text:
                lines.append("  %-10s %s" % (title, text))
    lines += [
        "",
        "to accept what is known: --leakhunt-accept FILE, a line of which starts with its fingerprint;",
        "with --leakhunt-update such lines are added to FILE",
    ]
    return "\n".join(lines)


def _accept(path, nodeid, leaks):
    """Adds fingerprints to a file, in one write, as other workers may do the same."""
    try:
        with open(path, encoding="utf-8") as file:
            known = {line.split(None, 1)[0] for line in file if line.strip()}
    except FileNotFoundError:
        known = set()
    lines = [
        "%s  %s  (%s)\n" % (leak["fingerprint"], leak["place"], nodeid)
        for leak in leaks
        if leak["fingerprint"] not in known
    ]
    with open(path, "a", encoding="utf-8") as file:
        file.write("".join(lines))


def _teardown(item, nextitem):
    """Tears down what the next test does not need. The report, where that fails."""
    call = CallInfo.from_call(
        lambda: item.session._setupstate.teardown_exact(nextitem), when="teardown"
    )
    if call.excinfo is None:
        return []
    return [item.ihook.pytest_runtest_makereport(item=item, call=call)]


def _call(reports):
    """The report of the call, else the last."""
    for report in reports:
        if report.when == "call":
            return report
    return reports[-1]


def _fail(reports, text, outcome=None):
    report = _call(reports)
    report.outcome = "failed"
    report.longrepr = text
    report.leakhunt = outcome or text.splitlines()[0]


def _tell(reports, outcome):
    _call(reports).leakhunt = outcome
