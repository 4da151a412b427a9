"""A curve in words: its name, its knee, its throughput."""

import math
from collections.abc import Sequence

from reports.statistics.sweep.knee import KneeState
from reports.statistics.sweep.study import Curve, Study, setting
from reports.text.rounding import DASH, THIN, listed, milliseconds, number

_TPS_APART = 0.10
"""Nor are throughputs that were measured once: two runs of a point are often that far apart."""


def _rounded(value: float) -> str:
    """Two significant digits, and no part of a user: it is not known better than that."""
    if value >= 10:
        digits = 1 - math.floor(math.log10(value))
        return f"{round(value, digits):,.0f}"
    return f"{max(value, 1):.0f}"


def _of_axis(study: Study, value: float) -> str:
    """A place on the axis that need not have been measured."""
    unit = {"users": "users", "rate": "transactions/s", "accounts": "accounts"}.get(study.axis.name)
    if unit is not None:
        return f"{_rounded(value)} {unit}"
    if study.axis.name == "think_time":
        return f"{milliseconds(value * 1000)} of think time"
    return _rounded(value)


def tps(value: float) -> str:
    """A throughput to three digits: runs of the same point differ more than the fourth."""
    return number(value, value / 100)


def curve_name(study: Study, curve: Curve) -> str:
    """A curve in words: its series, and its panel where there are several."""
    panel = study.panel_name(curve.panel)
    return f"{curve.series.name} ({panel})" if panel else curve.series.name


def knee_text(study: Study, curve: Curve) -> str:
    """What there is to say of a curve's knee, as a clause."""
    knee = curve.knee
    if knee is None:
        return "no knee is looked for along this axis"
    be = "seems to be" if curve.measured_once else "is"
    if knee.state is KneeState.FOUND and knee.at is not None:
        ends = (curve.at(knee.at), curve.at(knee.high))
        limited = next((place for place in ends if place is not None and place.limited), None)
        whose = (
            f"; at {setting(study.axis, limited.value)} the load generator was the limit"
            if limited
            else ""
        )
        between = _between(knee.low, knee.high)
        return f"the knee {be} at {setting(study.axis, knee.at)} ({between}){whose}"
    if knee.state is KneeState.BELOW:
        return f"the knee {be} below {_of_axis(study, knee.high or 0)}, nearer than these points show"
    if knee.state is KneeState.ABOVE:
        return f"there {be} no knee up to the highest load"
    if knee.state is KneeState.FLAT:
        how = ", measured once each," if curve.measured_once else ""
        return f"no knee is shown: the points{how} cannot be told apart"
    return "there are too few loads to show a knee"


def shared_knee(study: Study, curves: Sequence[Curve]) -> str:
    """One clause on the knees of curves that nothing tells apart, where each by itself would say
    something else than the other; empty where they agree, or the curves differ.
    """
    texts = [knee_text(study, curve) for curve in curves]
    if len(set(texts)) < 2 or not _like(curves):
        return ""
    found = {curve_name(study, c): c.knee.at for c in curves if c.knee is not None and _has_knee(c)}
    places = sorted(at for at in found.values() if at is not None)
    if len(found) == len(curves):
        be = "seems to be" if any(curve.measured_once for curve in curves) else "is"
        if places[0] == places[-1]:
            return f"the knee {be} at {setting(study.axis, places[0])}"
        return f"the knee {be} between {_exact(places[0])} and {setting(study.axis, places[-1])}"
    if not found:
        return "no knee is shown"
    shown = listed([f"{name} at {setting(study.axis, at or 0)}" for name, at in found.items()])
    return (
        "whether there is a knee is not clear: the throughput of all is alike, and only "
        f"{shown} {'shows' if len(found) == 1 else 'show'} one"
    )


def _has_knee(curve: Curve) -> bool:
    return curve.knee is not None and curve.knee.state is KneeState.FOUND


def _like(curves: Sequence[Curve]) -> bool:
    """Whether chance alone may tell the throughput of the curves apart, wherever all were measured."""
    for place in curves[0].places:
        there = [found for curve in curves if (found := curve.at(place.value)) is not None]
        values = [found.all("throughput_tps") for found in there]
        once = any(len(found.runs) == 1 for found in there)
        if all(values) and max(map(min, values)) > min(map(max, values)) * (1 + _TPS_APART * once):
            return False
    return True


def _between(low: float | None, high: float | None) -> str:
    return f"between {_exact(low)} and {_exact(high)}"


def _exact(value: float | None) -> str:
    return DASH if value is None else f"{value:,.6g}".replace(" ", THIN)


def left_out_of_law(curve: Curve) -> str:
    """Which points the law was fitted without, as the end of a clause; empty if it has them all."""
    limited = [f"{place.value:,}" for place in curve.places if place.limited]
    if not limited or curve.series.target is not None:
        return ""
    return f", without {' and '.join(limited)} users"
