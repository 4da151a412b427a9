"""What the unit tests share."""

from html import escape
from pathlib import Path

import pytest

from reports.charts.figure import Chart


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without its drawings, which cost most: for tests of the words and figures around them."""

    def frame(chart: Chart) -> str:
        return f'<svg role="img" aria-label="{escape(chart.reading)}"></svg>'

    monkeypatch.setattr("reports.render.html.to_svg", frame)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs of the same thing, and a third that is a quarter slower, to compare."""
    from tests.compared_runs import write_compared

    return write_compared(tmp_path_factory.mktemp("runs"))
