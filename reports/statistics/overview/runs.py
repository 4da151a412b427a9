"""What a report of several runs keeps of each: small, so that a hundred runs fit in memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.record.run import Run
from reports.analysis.figures import Figures
from reports.analysis.series import Series
from reports.statistics.model import Curve
from reports.text.verdict import Verdict

Facts = dict[str, str]
"""Name of a setting or fact → its value as a reader takes it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One key type of a run, on one of its targets where it has several."""

    key_type: str
    target: str | None
    """None where the run has one target."""
    figures: Figures
    series: Series | None
    """None where the record of a run has none for just this key type on just this target."""
    curve: Curve | None


@dataclass(frozen=True, slots=True)
class OneRun:
    """A run without its attempts."""

    folder: Path
    run: Run
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]
    measured_s: float
    warmup_s: float
    given: Facts
    """What was asked for: the run's options."""
    found: Facts
    """What it met: targets' facts, machine and versions."""
    raw: dict[str, Any]
    """The options as `run.json` has them, for putting runs in order."""
