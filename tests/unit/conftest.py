"""What the unit tests share."""

from html import escape

import pytest


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts are made but not drawn, which is most of what a report costs: for tests of the words and
    figures around them.
    """

    def frame(figure: object, name: str, label: str) -> str:
        return f'<svg role="img" aria-label="{escape(label)}"></svg>'

    monkeypatch.setattr("reports.charts.draw.to_svg", frame)
