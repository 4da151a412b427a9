"""The figures that a chart draws, as a table that a reader can take away."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

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


def _text(value: Value) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
