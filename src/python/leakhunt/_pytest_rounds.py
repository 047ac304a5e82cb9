"""Runs one test of pytest in rounds, and has its heap looked at after each."""

import copy
import re
import warnings

from _pytest.runner import CallInfo, runtestprotocol

from ._check import Check, is_supported, open_door
from ._errors import LeakhuntError

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


def _reports(item, nextitem, rounds, warmup):
    """The reports of the first round, changed where a later one has something to say."""
    # Whoever is torn down for a next test of the same scopes keeps what is of wider scopes.
    sibling = copy.copy(item)
    reports = runtestprotocol(item, log=False, nextitem=sibling)
    try:
        if all(report.passed for report in reports):
            if not is_supported():
                _tell(reports, "leakhunt needs Linux on x86-64")
            else:
                _check(item, sibling, reports, rounds, warmup)
    finally:
        reports.extend(_teardown(item, nextitem))
    return reports


def _check(item, sibling, reports, rounds, warmup):
    try:
        check = Check(rounds, warmup, item.config.option.leakhunt_accept)
        with check:
            failure = _repeat(item, sibling, check)
        if failure is None:
            _judge(item, reports, check.verdict())
    except LeakhuntError as error:
        if error.exit_code == _REFUSED and open_door():
            _check(item, sibling, reports, rounds, warmup)
            return
        _fail(reports, str(error))
        return
    if failure is not None:
        n_round, failed_reports = failure
        what = "it fails when it is repeated, in round %d" % n_round
        if item.get_closest_marker("leakhunt") is not None:
            # Asked for by the test itself: it has to bear it.
            reports[:] = failed_reports
            _call(reports).sections.append(("leakhunt", what))
        _tell(reports, what)


def _repeat(item, sibling, check):
    """Repeats a test that has done its first round until no more is wanted. The number and the reports
    of a round that does not pass, or None."""
    n_sections = len(item._report_sections)
    n_properties = len(item.user_properties)
    n_round = 1
    while check.round():
        n_round += 1
        # pytest keeps the warnings of all rounds until the item ends.
        with warnings.catch_warnings(record=True):
            reports = runtestprotocol(item, log=False, nextitem=sibling)
        del item._report_sections[n_sections:]
        del item.user_properties[n_properties:]
        if not all(report.passed for report in reports):
            return n_round, reports
        del reports
    return None


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
