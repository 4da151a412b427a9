"""What the unit tests share."""

from html import escape
from pathlib import Path

import pytest


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are made but not drawn, which is most of what a report costs: for tests of the words and
    figures around them.
    """

    def frame(figure: object, name: str, label: str) -> str:
        return f'<svg role="img" aria-label="{escape(label)}"></svg>'

    monkeypatch.setattr("reports.charts.figure.to_svg", frame)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs of the same thing, and a third that is a quarter slower, to compare."""
    from tests.compared_runs import write_compared

    return write_compared(tmp_path_factory.mktemp("runs"))
