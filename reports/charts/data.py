"""The figures that a chart draws, as a table that a reader can take away."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class ChartData:
    """`columns` name what they hold with its unit (`latency_ms`, `time_s`, `conflict_rate` as a share);
    each row has one value a column, None where there is none.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Value]]

    def to_csv(self) -> str:
        """The table as CSV with a header; numbers to six significant digits, nothing for None."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([[_text(value) for value in row] for row in self.rows])
        return text.getvalue()


Course = tuple[NDArray[np.float64], ...]
"""Columns of equal length: where, and what was measured there."""
WARMUP = "warm-up"
"""What the warm-up is called where a key type stands."""


def courses_as_rows(
    courses: Mapping[str, Course], warmup: Course | None = None
) -> list[tuple[Value, ...]]:
    """A row for each name and place; the warm-up's, which nothing else is made of, stand first."""
    named = {WARMUP: warmup, **courses} if warmup is not None else courses
    return [
        (name, *(float(value) for value in row))
        for name, course in named.items()
        if course is not None
        for row in zip(*course, strict=True)
    ]


def _text(value: Value) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
