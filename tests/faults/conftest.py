"""One line for each fault: whether the promise held, its time, the promise, what was measured."""

from collections.abc import Callable

import pytest

Measured = Callable[[str], None]


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Call it with what was measured, in a few words: `measured("both workers ended after 0.4 s")`."""

    def note(text: str) -> None:
        request.node.user_properties.append(("measured", text))

    return note


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep the promise of the test, its docstring's first paragraph, for its line."""
    if "faults" in item.path.parts:
        function = getattr(item, "function", None)
        promise = " ".join((function.__doc__ or item.name).strip().split("\n\n")[0].split())
        item.user_properties.append(("promise", promise))


def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    """In `make faults`, the line of a fault in place of pytest's word for its outcome."""
    said = dict(getattr(report, "user_properties", ()))
    over = report.when == "call" or (report.when == "setup" and not report.passed)
    if not (config.getoption("verbose") > 0 and over and "promise" in said):
        return None
    found = "; ".join(str(text) for name, text in report.user_properties if name == "measured")
    line = f"{report.outcome:7} {report.duration:5.1f} s  {said['promise']}"
    line += f" [{found}]" if found else ""
    return report.outcome, report.outcome[0].upper(), line
