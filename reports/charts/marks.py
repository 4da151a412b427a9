"""A key type's or target's line over time: firm where bins touch, faint across others' blocks."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from reports.charts.style import FAINT, Look, look
from reports.statistics.model import Model

_MOST_MARKERS = 60


def over_time(
    axes: Axes,
    name: str,
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    joined: NDArray[np.bool_],
    *,
    drawn: Look | None = None,
    **more: Any,
) -> Line2D:
    """Draw `values` (one a bin) at `x`; returns a legend handle.

    `name` is a key type, or what the legend says of the line that looks as `drawn`.
    """
    style = drawn or look(name)
    blocks = int(np.count_nonzero(~joined))
    marked = len(x) <= _MOST_MARKERS
    size = 4.6 if marked else 2.6
    settings: dict[str, Any] = {"color": style.colour, "linewidth": 1.7, "zorder": 3, **more}
    if blocks <= 1:
        settings["linestyle"] = style.line if drawn else "-"
        axes.plot(x, values, **settings)
        if marked:
            every = max(1, len(x) // 12)
            axes.plot(
                x[::every],
                values[::every],
                style.marker,
                color=style.colour,
                markersize=size,
                zorder=4,
            )
        return Line2D([], [], marker=style.marker, label=name, markersize=5, **settings)
    faint = {**settings, "linewidth": 0.9, "alpha": 0.45, "linestyle": style.line}
    shown = np.isfinite(values)
    axes.plot(x[shown], values[shown], **faint)
    if joined.any():
        heads = np.flatnonzero(~joined)
        for head, tail in zip(heads, np.append(heads[1:], len(x)), strict=True):
            axes.plot(x[head:tail], values[head:tail], linestyle="-", **settings)
    axes.plot(x, values, style.marker, color=style.colour, markersize=size, markeredgewidth=0, zorder=4)
    return Line2D(
        [],
        [],
        color=style.colour,
        marker=style.marker,
        markersize=5,
        linestyle=style.line,
        linewidth=1.2,
        label=name,
    )


def warmup_line(axes: Axes, model: Model, values: NDArray[np.float64], scale: float) -> None:
    """The warm-up's values in grey."""
    if model.warmup is not None:
        axes.plot(model.warmup.middle_s * scale, values, color=FAINT.light, linewidth=1.5, zorder=2)


def largest(*arrays: NDArray[np.float64]) -> float:
    """The largest finite value, 0 if there is none."""
    finite = [a[np.isfinite(a)] for a in arrays]
    return max((float(a.max()) for a in finite if a.size), default=0.0)


def spread_over_time(values: NDArray[np.float64]) -> float | None:
    """How far values stray from their median over time: half their 10 to 90 % range, as a share."""
    kept = values[np.isfinite(values)]
    if len(kept) < 5:
        return None
    low, middle, high = np.percentile(kept, [10, 50, 90])
    return float((high - low) / 2 / middle) if middle > 0 else None
