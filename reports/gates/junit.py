"""Gates as JUnit's XML, which CI systems show as tests.

A run is a test suite. Each gate is a test case, and so is the run's invariant, which is skipped where
it could not be checked; with `--strict`, or where most transactions failed, each bad verdict as well.
A run that could not be measured is a suite with an error, one that is still to be measured a suite that
is skipped.
"""

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.gates.judge import Judged, Unmeasured

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(judged: Sequence[Judged], unmeasured: Sequence[Unmeasured] = ()) -> str:
    """The document: one suite for each run."""
    root = Element("testsuites", {"name": "occbench"})
    for one in judged:
        _suite(root, one)
    for missing in unmeasured:
        _missing_suite(root, missing)
    for name in ("tests", *_COUNTS):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, judged: Judged) -> None:
    subject = judged.subject
    suite = SubElement(root, "testsuite", {"name": _clean(subject.name)})
    suite.set("time", f"{subject.summary.get('measured_s') or 0:.3f}")
    for gate in judged.gates:
        case = _case(suite, gate.name)
        if gate.held:
            SubElement(case, "system-out").text = _clean(gate.text)
        else:
            _failure(case, "gate", gate.text)
    case = _case(suite, "invariant")
    if judged.broken:
        _failure(case, "invariant", judged.invariant_text)
    elif (subject.summary.get("invariant") or {}).get("holds") is None:
        SubElement(case, "skipped", {"message": "could not be checked"})
    for verdict in judged.bad if judged.strict or judged.mostly_failed else ():
        if verdict["about"] != "invariant" or not judged.broken:
            _failure(_case(suite, verdict["about"]), "verdict", verdict["text"])
    _count(suite)


def _missing_suite(root: Element, missing: Unmeasured) -> None:
    suite = SubElement(root, "testsuite", {"name": _clean(missing.name), "time": "0"})
    case, why = _case(suite, "measured"), _clean(missing.why)
    if missing.failed:
        SubElement(case, "error", {"type": "run", "message": why}).text = why
    else:
        SubElement(case, "skipped", {"message": why})
    _count(suite)


_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def _count(suite: Element) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, tag in _COUNTS.items():
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))


def _case(suite: Element, name: str) -> Element:
    words = {"classname": suite.get("name", ""), "name": _clean(name), "time": "0"}
    return SubElement(suite, "testcase", words)


def _failure(case: Element, kind: str, text: str) -> None:
    """Why a test case failed: some systems show the attribute, some the text."""
    SubElement(case, "failure", {"type": kind, "message": _clean(text)}).text = _clean(text)


def _clean(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
