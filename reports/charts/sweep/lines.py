"""How a curve is drawn: its repeats, its line, what is predicted, and its marks."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from reports.charts.style import INK, MUTED, PAPER, Look, look, target_look
from reports.statistics.sweep.knee import KneeState
from reports.statistics.sweep.measured import Series
from reports.statistics.sweep.study import Curve, Place, Study

_ASIDE = 3.0
"""Pixels between two series' bars at the same place."""


def look_of(study: Study, series: Series) -> Look:
    """How a series is drawn: by key type; on several targets in the target's colour."""
    own = look(series.key_type)
    if series.target is None:
        return own
    targets = list(dict.fromkeys(one.target for one in study.series))
    theirs = target_look(targets.index(series.target))
    return Look(theirs.colour, own.marker, own.line, theirs.css, own.hatch)


def draw_curve(
    axes: Axes,
    study: Study,
    curve: Curve,
    figure: str,
    where: Callable[[Any], float],
    *,
    joined: bool = True,
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
    many = [(at, place.all(figure)) for at, place in zip(x, shown, strict=True) if len(place.runs) > 1]
    if many:
        ends = [at for at, _ in many], [min(v) for _, v in many], [max(v) for _, v in many]
        axes.vlines(*ends, color=style.colour, linewidth=1, zorder=3)
        dots = [(at, value) for at, values in many for value in values]
        axes.plot(
            *zip(*dots, strict=True),
            "_",
            color=style.colour,
            markersize=7,
            alpha=0.8,
            zorder=3,
        )
    for hollow in (False, True):
        chosen = [i for i, place in enumerate(shown) if place.limited is hollow]
        if chosen:
            axes.plot(
                [x[i] for i in chosen],
                [y[i] for i in chosen],
                style.marker,
                markerfacecolor=PAPER.light if hollow else style.colour,
                markeredgecolor=style.colour,
                markeredgewidth=1.3 if hollow else 0,
                markersize=6 if hollow else 5.6,
                linestyle="",
                zorder=4,
            )
    return [value for place in shown for value in place.all(figure)]


def _dodge(study: Study, series: Series) -> float:
    """Series stand beside one another where nothing joins them."""
    if study.numeric:
        return 0.0
    names = study.series
    return (names.index(series) - (len(names) - 1) / 2) * min(0.24, 0.7 / len(names))


def mark_knee(axes: Axes, curve: Curve, figure: str, where: Callable[[Any], float]) -> bool:
    """Ring the knee on its curve; returns whether there is one."""
    if curve.knee is None or curve.knee.state is not KneeState.FOUND or curve.knee.at is None:
        return False
    place = curve.at(curve.knee.at)
    value = place.middle(figure) if place else None
    if value is None:
        return False
    axes.plot(
        [where(curve.knee.at)],
        [value],
        "o",
        markersize=13,
        markerfacecolor="none",
        markeredgecolor=INK.light,
        markeredgewidth=1.3,
        zorder=5,
    )
    return True


def own_bands(axes: Axes, study: Study, curve: Curve, where: Callable[[Any], float]) -> list[float]:
    """A pale bar at each place: the band that its own runs' windows and rates predict."""
    series = study.series
    aside = (series.index(curve.series) - (len(series) - 1) / 2) * 2 * _ASIDE
    if not study.numeric:
        aside = 0.0
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101 - the axes belong to a grid
    moved = axes.transData + ScaledTranslation(aside / 72, 0, figure.dpi_scale_trans)
    bands = [(place, band) for place in curve.places if (band := _band(place)) is not None]
    if bands:
        axes.vlines(
            [where(place.value) + _dodge(study, curve.series) for place, _ in bands],
            [low for _, (low, _) in bands],
            [high for _, (_, high) in bands],
            color=look_of(study, curve.series).colour,
            linewidth=5,
            alpha=0.3,
            capstyle="butt",
            transform=moved,
            zorder=2,
        )
    return [high for _, (_, high) in bands]


def _band(place: Place) -> tuple[float, float] | None:
    lows = [run.predicted_low for run in place.runs if run.predicted_low is not None]
    highs = [run.predicted_high for run in place.runs if run.predicted_high is not None]
    return (min(lows), max(highs)) if lows and highs else None


def series_handles(study: Study) -> list[Any]:
    """The legend's entry for each series."""
    found = []
    for one in study.series:
        style = look_of(study, one)
        found.append(
            Line2D(
                [],
                [],
                color=style.colour,
                marker=style.marker,
                markersize=5.6,
                markeredgewidth=0,
                linestyle=style.line if study.numeric else "",
                linewidth=1.7,
                label=one.name,
            )
        )
    return found


def knee_handle() -> Line2D:
    """The legend's entry for the ring."""
    return Line2D(
        [],
        [],
        linestyle="",
        marker="o",
        markersize=10,
        markerfacecolor="none",
        markeredgecolor=INK.light,
        markeredgewidth=1.3,
        label="knee",
    )


def hollow_handle() -> Line2D:
    """The legend's entry for places at which the generator was the limit."""
    return Line2D(
        [],
        [],
        linestyle="",
        marker="o",
        markersize=6,
        markerfacecolor=PAPER.light,
        markeredgecolor=MUTED.light,
        markeredgewidth=1.3,
        label="generator was the limit",
    )


def band_handle(text: str) -> Patch:
    """The legend's entry for a band."""
    return Patch(facecolor=MUTED.light, alpha=0.3, label=text)


def any_limited(curves: Sequence[Curve]) -> bool:
    """Whether the generator was the limit anywhere."""
    return any(place.limited for curve in curves for place in curve.places)
