"""Where the time of a transaction goes."""

from matplotlib.patches import Patch

from reports.analysis.figures import Parts
from reports.charts.axes import rows_of_names, thousands_axis
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import of_each
from reports.charts.style import FAINT, INK, PAPER, PART_1, PART_2, PART_3, PART_4
from reports.statistics.model import Model
from reports.text.rounding import about, listed, milliseconds, number

_PARTS = (
    ("statements", "statements", PART_1, PAPER),
    ("commit", "COMMIT", PART_2, INK),
    ("backoff", "backoff", PART_3, INK),
    ("waiting", "waiting for a user", PART_4, INK),
    ("other", "other", FAINT, INK),
)
"""(attribute of `Parts`, name, colour, colour of what is written on it)."""
_ALWAYS_NAMED = ("statements", "commit", "backoff")
_WORTH_SHOWING, _WORTH_WRITING = 0.01, 0.1
"""Shares of the longest time."""


def draw(model: Model) -> Chart | None:
    """Mean milliseconds of a finished transaction, all its attempts together, as stacked bars."""
    known = {k: f.parts for k, f in model.key_types.items() if f.parts is not None}
    longest = max((parts.total for parts in known.values()), default=0.0)
    if not longest:
        return None
    figure, axes = canvas(left=64, right=70, height=110 + 62 * len(known))
    begins, handles = [0.0] * len(known), []
    for name, label, colour, ink in _PARTS:
        values = [getattr(parts, name) for parts in known.values()]
        ms = [value or 0.0 for value in values]
        bars = axes.barh(
            range(len(known)), ms, 0.62, left=begins, color=colour, edgecolor=PAPER, linewidth=1.2,
            zorder=3,
        )  # fmt: skip
        texts = [number(value) if value > _WORTH_WRITING * longest else "" for value in ms]
        axes.bar_label(bars, texts, label_type="center", color=ink, zorder=5)
        begins = [begin + value for begin, value in zip(begins, ms, strict=True)]
        measured = name in _ALWAYS_NAMED and any(value is not None for value in values)
        if measured or max(ms) >= _WORTH_SHOWING * longest:
            handles.append(Patch(facecolor=colour, label=label))
    axes.bar_label(bars, [milliseconds(parts.total) for parts in known.values()], padding=5)
    rows_of_names(axes, list(known))
    axes.set_xlim(0, longest * 1.02)
    thousands_axis(axes.xaxis)
    axes.set_xlabel("mean time of a transaction (ms)")
    write_above(figure, "", handles)
    rows = [
        (key, name, value)
        for key, parts in known.items()
        for name, *_ in _PARTS
        if (value := getattr(parts, name)) is not None
    ]
    data = ChartData(("key_type", "part", "mean_ms"), rows)
    reading = of_each(known, "{}", map(_shares, known.values()))
    return Chart(figure, "parts", "Where the time goes", reading, data)


def _shares(parts: Parts) -> str:
    if parts.total <= 0:
        return "no time"
    shares = [
        f"{label} {about(ms / parts.total)}"
        for name, label, *_ in _PARTS
        if (ms := getattr(parts, name)) is not None
        and (name in _ALWAYS_NAMED or (name == "waiting" and ms > _WORTH_SHOWING * parts.total))
    ]
    return f"of {milliseconds(parts.total)}, {listed(shares)}"
