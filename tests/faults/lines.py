"""A plugin for `make faults`: one line for each fault, as soon as it is known.

Outcome, seconds, what is promised, and in brackets what was measured.
"""

import pytest


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Give the line of a fault where pytest would print a letter."""
    said = getattr(report, "user_properties", ())
    promises = [str(text) for name, text in said if name == "promise"]
    over = report.when == "call" or (report.when == "setup" and not report.passed)
    if not promises or not over:
        return None
    found = "; ".join(str(text) for name, text in said if name == "measured")
    line = f"{report.outcome:7} {report.duration:5.1f} s  {promises[0]}"
    line += f" [{found}]" if found else ""
    return report.outcome, f"{line}\n", line
