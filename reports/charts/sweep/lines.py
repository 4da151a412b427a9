"""How a curve of a sweep is drawn: its repeats, its line, what is predicted, and its marks."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from reports.charts.marks import sample, styled
from reports.charts.style import INK, MUTED, PAPER, Look, look, target_looks
from reports.statistics.sweep.knee import KneeState
from reports.statistics.sweep.measured import Series
from reports.statistics.sweep.study import Curve, Place, Study

Position = Callable[[Any], float]
"""Where a value of the axis lies on it."""
_ASIDE = 6.0
"""Pixels between two series' bars at the same place."""
_RING: dict[str, Any] = {
    "marker": "o", "markerfacecolor": "none", "markeredgecolor": INK, "markeredgewidth": 1.3,
}  # fmt: skip
_HOLLOW: dict[str, Any] = {"markerfacecolor": PAPER, "markeredgewidth": 1.3, "markersize": 6}


def look_of(study: Study, series: Series) -> Look:
    """How a series is drawn: by key type; on several targets in the target's colour."""
    own = look(series.key_type)
    if series.target is None:
        return own
    targets = target_looks(str(one.target) for one in study.series)
    return replace(own, colour=targets[series.target].colour)


def draw_curve(
    axes: Axes, study: Study, curve: Curve, figure: str, where: Position, *, joined: bool = True
) -> list[float]:
    """Draw a figure of `Measured` along the axis; returns every value drawn.

    A marker is the median of the repeats, hollow where the generator was the limit; small dots are the
    repeats; the line joins the medians where the axis is one of numbers, unless `joined` is False.
    """
    style = look_of(study, curve.series)
    shown = [place for place in curve.places if place.middle(figure) is not None]
    x = [where(place.value) + _dodge(study, curve.series) for place in shown]
    y = [place.middle(figure) or 0.0 for place in shown]
    if study.numeric and joined:
        axes.plot(x, y, color=style.colour, linestyle=style.line, linewidth=1.7, zorder=3)
    repeats: list[tuple[float, float]] = []
    for at, place in zip(x, shown, strict=True):
        if len(place.runs) > 1:
            repeats += [*((at, value) for value in place.all(figure)), (math.nan, math.nan)]
    if repeats:
        axes.plot(*zip(*repeats, strict=True), "_-", color=style.colour, ms=7, linewidth=1, zorder=3)
    for hollow in (False, True):
        chosen = [n for n, place in enumerate(shown) if place.limited is hollow]
        how = styled(style, linestyle="", zorder=4) | (_HOLLOW if hollow else {})
        axes.plot([x[n] for n in chosen], [y[n] for n in chosen], **how)
    return [value for place in shown for value in place.all(figure)]


def _dodge(study: Study, series: Series) -> float:
    """Series stand beside one another where nothing joins them."""
    return 0.0 if study.numeric else _step(study, series) * min(0.24, 0.7 / len(study.series))


def _step(study: Study, series: Series) -> float:
    """How many series to the right of their middle this one is."""
    return study.series.index(series) - (len(study.series) - 1) / 2


def ring_knee(axes: Axes, curve: Curve, figure: str, where: Position) -> bool:
    """Ring the knee on its curve; returns whether there is one."""
    if curve.knee is None or curve.knee.state is not KneeState.FOUND or curve.knee.at is None:
        return False
    place = curve.at(curve.knee.at)
    value = place.middle(figure) if place else None
    if value is None:
        return False
    axes.plot([where(curve.knee.at)], [value], markersize=13, zorder=5, **_RING)
    return True


def own_bands(axes: Axes, study: Study, curve: Curve, where: Position) -> list[float]:
    """Draw a pale bar at each place, the band that its own runs' windows and rates predict; returns
    their upper ends.
    """
    aside = _step(study, curve.series) * _ASIDE if study.numeric else 0.0
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - the axes belong to a grid
    moved = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
    bands = [(place, band) for place in curve.places if (band := _band(place)) is not None]
    axes.vlines(
        [where(place.value) + _dodge(study, curve.series) for place, _ in bands],
        [low for _, (low, _) in bands], [high for _, (_, high) in bands],
        color=look_of(study, curve.series).colour, linewidth=5, alpha=0.3, capstyle="butt",
        transform=moved, zorder=2,
    )  # fmt: skip
    return [high for _, (_, high) in bands]


def _band(place: Place) -> tuple[float, float] | None:
    lows = [run.predicted_low for run in place.runs if run.predicted_low is not None]
    highs = [run.predicted_high for run in place.runs if run.predicted_high is not None]
    return (min(lows), max(highs)) if lows and highs else None


def series_samples(study: Study) -> list[Any]:
    """The legend's entries: a line for each series, and what hollow markers are where there are any."""
    lines = {} if study.numeric else {"linestyle": ""}
    samples = [sample(one.name, look_of(study, one), **lines) for one in study.series]
    if any(place.limited for curve in study.curves for place in curve.places):
        hollow = {"marker": "o", "color": MUTED, "linestyle": ""} | _HOLLOW
        samples.append(Line2D([], [], label="generator was the limit", **hollow))
    return samples


def knee_sample() -> Line2D:
    """The legend's entry for the ring."""
    return Line2D([], [], linestyle="", markersize=10, label="knee", **_RING)
