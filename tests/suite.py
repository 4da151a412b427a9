"""`python -m tests.suite`: every test, in two steps, with one account of both at the end.

Tests that measure real time are marked `timed` and want the machine for themselves: they run one after
another, once the others are through, which share it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

# A file's tests stay in one process, where they share what the file makes once.
STEPS = {
    "side by side": ("-n", "3", "--dist", "loadfile", "-m", "not timed and not long"),
    "one by one": ("-m", "timed and not long"),
}
_GREEN = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}


@dataclass(frozen=True)
class Step:
    """How one of them ended."""

    name: str
    status: int
    seconds: float = 0.0
    passed: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{self.passed:,} passed, {self.skipped:,} skipped, {len(self.failed):,} failed"
        return f"{self.name}: {counts} in {self.seconds:.0f} s, exit status {self.status}"


def read(name: str, status: int, report: Path) -> Step:
    """A step, from what pytest wrote of it; without that, it did not get far."""
    if not report.exists():
        return Step(name, status)
    suite = next(Xml.parse(report).iter("testsuite"))  # noqa: S314 - pytest's own
    failed, skipped, passed = [], 0, 0
    for case in suite.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('file')}::{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Step(name, status, float(suite.get("time", 0)), passed, skipped, failed)


def main(run: Callable[[list[str]], int] = subprocess.call) -> int:
    """Run both steps, whatever comes of the first, unless somebody interrupts it."""
    ended: list[Step] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, words in STEPS.items():
            report = Path(folder, f"{len(ended)}.xml")
            written = ["-o", "junit_family=xunit1", f"--junit-xml={report}"]
            status = run([sys.executable, "-m", "pytest", *words, *written])
            ended.append(read(name, status, report))
            if status == pytest.ExitCode.INTERRUPTED:
                break
    print("\nAll tests")
    for step in ended:
        print(f"  {step}", *(f"    {test}" for test in step.failed), sep="\n")
    return next((step.status for step in ended if step.status not in _GREEN), 0)


if __name__ == "__main__":
    sys.exit(main())
