"""Marks: lines over time, markers, intervals, words beside them, and their samples in a legend."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from reports.analysis.figures import Figures
from reports.charts.figure import Value
from reports.charts.style import INK, MUTED, PAPER, Look
from reports.statistics.certainty import one_rounding, percentile

Floats = NDArray[np.float64]
Course = tuple[Floats, ...]
"""Columns of equal length: where, and what was measured there."""
WARMUP = "warm-up"
"""What the warm-up is called where a key type stands."""
_MOST_MARKERS = 60
_FEWEST_BINS = 5
"""Pieces of time from which their spread means anything."""


def marker(axes: Axes, x: float, y: float, look: Look, *, hollow: bool = False, **how: Any) -> None:
    """One marker, filled or as an outline."""
    outline = {"markerfacecolor": "none", "markeredgewidth": 1.4} if hollow else {}
    axes.plot([x], [y], **styled(look, linestyle="", markersize=7, zorder=4) | outline | how)


def interval(axes: Axes, low: float, high: float, y: float, colour: str, **how: Any) -> None:
    """A horizontal bar from `low` to `high`."""
    settings: dict[str, Any] = {"color": colour, "linewidth": 3, "zorder": 3} | how
    axes.plot([low, high], [y, y], **settings)


def note(axes: Axes, text: str, at: tuple[float, float], right: float = 5, **how: Any) -> None:
    """Words beside a point, so many pixels to its right."""
    settings: dict[str, Any] = {"fontsize": 10.5, "va": "center"} | how
    axes.annotate(text, at, (right, 0), textcoords="offset points", **settings)


def styled(look: Look, **how: Any) -> dict[str, Any]:
    """matplotlib's settings of a line with markers in this look."""
    return {
        "color": look.colour, "marker": look.marker, "linestyle": look.line, "markersize": 5.5,
        "markeredgewidth": 0, "linewidth": 1.6,
    } | how  # fmt: skip


def effect(
    axes: Axes,
    y: float,
    ends: tuple[float, float, float],
    look: Look,
    text: str,
    *,
    differs: bool,
    reach: float = math.inf,
) -> None:
    """A change as its interval (low, estimate, high), pale and hollow where no difference is shown,
    with its text at the right of the axes; what lies farther than `reach` from 0 is an arrow.
    """
    low, middle, high = ends
    how = {"alpha": 1.0 if differs else 0.5, "solid_capstyle": "butt"}
    interval(axes, max(low, -reach), min(high, reach), y, look.colour, **how)
    for end, arrow in ((low, "<"), (high, ">")):
        if abs(end) > reach:
            marker(axes, math.copysign(reach * 0.985, end), y, look, marker=arrow)
    if abs(middle) <= reach:
        ground = look.colour if differs else PAPER
        marker(axes, middle, y, look, markersize=8, markeredgewidth=1.6, markerfacecolor=ground)
    note(
        axes, text, (1.0, y), 10, xycoords=("axes fraction", "data"), fontsize=11,
        color=INK if differs else MUTED, fontweight="bold" if differs else "normal",
    )  # fmt: skip


def sample(label: str, look: Look, **how: Any) -> Line2D:
    """A legend's sample of a line with markers; `linestyle=""` leaves the marker alone."""
    return Line2D([], [], label=label, **styled(look, **how))


def band_sample(label: str) -> Patch:
    """A legend's sample of a pale band."""
    return Patch(facecolor=MUTED, alpha=0.3, label=label)


def broken(x: Floats, values: Floats, joined: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The same line, broken before every bin that does not follow the one before it."""
    breaks = np.flatnonzero(~joined)
    return np.insert(x, breaks, np.nan), np.insert(values, breaks, np.nan)


def over_time(
    axes: Axes,
    label: str,
    look: Look,
    x: Floats,
    values: Floats,
    joined: NDArray[np.bool_],
    width: float = 1.7,
) -> Line2D:
    """Draw `values`, one a bin, firm where bins touch and faint across others' blocks; returns the
    legend's sample.
    """
    marked = len(x) <= _MOST_MARKERS
    firm: dict[str, Any] = {"color": look.colour, "linewidth": width, "zorder": 3}
    if np.count_nonzero(~joined) <= 1:
        every = slice(None, None, max(1, len(x) // 12)) if marked else slice(0)
        axes.plot(x, values, linestyle=look.line, **firm)
    else:
        every, shown = slice(None), np.isfinite(values)
        axes.plot(x[shown], values[shown], color=look.colour, linewidth=0.9, alpha=0.45, ls=look.line)
        axes.plot(*broken(x, values, joined), **firm)
    axes.plot(
        x[every], values[every], look.marker, color=look.colour, markersize=4.6 if marked else 2.6,
        markeredgewidth=0, zorder=4,
    )  # fmt: skip
    return sample(label, look, linewidth=width)


def largest(*arrays: Floats) -> float:
    """The largest finite value, 0 if there is none."""
    return max((float(a[np.isfinite(a)].max()) for a in arrays if np.isfinite(a).any()), default=0.0)


def spread(values: Floats) -> tuple[float, float, float] | None:
    """10 %, 50 % and 90 % quantiles over time; None where there is too little of it."""
    kept = values[np.isfinite(values)]
    if len(kept) < _FEWEST_BINS:
        return None
    low, middle, high = np.percentile(kept, [10, 50, 90]).tolist()
    return low, middle, high


def unevenness(values: Floats) -> float | None:
    """How far values stray from their median over time: half their 10 to 90 % range, as a share."""
    low, middle, high = spread(values) or (0.0, 0.0, 0.0)
    return (high - low) / 2 / middle if middle > 0 else None


def spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """Move label positions apart, as little as is needed for `gap` between neighbours."""
    moved = list(heights)
    for before, after in pairwise(sorted(range(len(heights)), key=lambda i: heights[i])):
        moved[after] = max(moved[after], moved[before] + gap)
    return moved


def courses_as_rows(
    courses: Mapping[str, Course], warmup: Course | None = None
) -> list[tuple[Value, ...]]:
    """A row for each name and place; the warm-up's, which nothing else is made of, stand first."""
    named = {WARMUP: warmup, **courses} if warmup is not None else courses
    return [
        (name, *(float(value) for value in row))
        for name, course in named.items()
        for row in zip(*course, strict=True)
    ]


def of_each(names: Iterable[str], pattern: str, *columns: Iterable[str]) -> str:
    """`int: p50 12 ms. uuid: p50 13 ms.`: the pattern filled for each name from its place in each
    column, with figures rounded alike, as the table has them.
    """
    rounded = (one_rounding(list(column)) for column in columns)
    rows = zip(names, *rounded, strict=True)
    return " ".join(f"{name}: {pattern.format(*texts)}." for name, *texts in rows)


def percentiles_of_each(slices: Mapping[str, Figures], marks: Mapping[str, str]) -> str:
    """`int: p50 12 ms, p99 80 ms. uuid: …`, those of `marks` (attribute → name) that some slice has."""
    latencies = [f.latency for f in slices.values()]
    known = [mark for mark in marks if any(getattr(one, mark) is not None for one in latencies)]
    columns = ([percentile(one, mark) for one in latencies] for mark in known)
    return of_each(slices, ", ".join(f"{marks[mark]} {{}}" for mark in known) or "too few", *columns)
