"""A curve in words: its name, its throughput, where contention begins to hurt, its knee."""

import math
from collections.abc import Sequence

from reports.statistics.sweep.cost import HURTS, Onset, OnsetState
from reports.statistics.sweep.knee import Knee, KneeState
from reports.statistics.sweep.study import Curve, Study, setting
from reports.text.rounding import about, capital, listed, milliseconds, number

MOST_CURVES = 3
"""Curves that a text names one by one."""
_TPS_APART = 0.10
"""Throughputs that were measured once are not told apart if they differ by less, as a share."""
_UNITS = {"users": "users", "rate": "transactions/s", "accounts": "accounts"}


def rounded(value: float) -> str:
    """Two significant digits, and no part of a user: it is not known better than that."""
    if value >= 10:
        return f"{round(value, 1 - math.floor(math.log10(value))):,.0f}"
    return f"{max(value, 1):.0f}"


def on_axis(study: Study, value: float) -> str:
    """A place on the axis that need not have been measured."""
    if study.axis.name == "think_time":
        return f"{milliseconds(value * 1000)} of think time"
    return f"{rounded(value)} {_UNITS.get(study.axis.name, '')}".rstrip()


def tps(value: float) -> str:
    """A throughput to three digits: runs of the same point differ more than the fourth."""
    return number(value, value / 100)


def curve_name(study: Study, curve: Curve) -> str:
    """A curve in words: its series, and its panel where there are several."""
    panel = study.panel_name(curve.panel)
    return f"{curve.series.name} ({panel})" if panel else curve.series.name


def onset_phrase(study: Study, onset: Onset, ends: tuple[float, float]) -> tuple[str, str]:
    """What contention does along an axis that was measured between these ends: verb, and where."""
    load = study.axis.name in ("users", "rate")
    calm, sore = ends if load else ends[::-1]
    if onset.state is OnsetState.FOUND and onset.at is not None:
        return "starts to hurt at" if load else "hurts below", f"about {on_axis(study, onset.at)}"
    if onset.state is OnsetState.NOT_REACHED:
        return "does not hurt", f"{'up' if load else 'down'} to {setting(study.axis, sore)}"
    if onset.state is OnsetState.BEFORE:
        return "hurts already at", setting(study.axis, calm)
    low, high = onset.low, onset.high
    if onset.state is OnsetState.UNCLEAR or (low is None) == (high is None):
        return "shows no clear beginning", ""
    beyond = ("beyond" if load else "below") if high is None else ("below" if load else "above")
    first, last = calm if low is None else low, sore if high is None else high
    return "starts to hurt between", f"{first:,.6g} and {setting(study.axis, last)} or {beyond}"


def knees_text(study: Study, curves: Sequence[Curve]) -> str:
    """The knees of these curves in words, once where nothing tells them apart."""
    if not curves or any(curve.knee is None for curve in curves):
        return ""
    if len(curves) > MOST_CURVES:
        return f"A knee is shown on {len(_with_knee(curves))} of {len(curves)} lines."
    names: dict[str, list[str]] = {}
    for curve in curves:
        names.setdefault(_knee_text(study, curve), []).append(curve_name(study, curve))
    if len(names) == 1:
        return f"{capital(next(iter(names)))}."
    if _like(curves):
        return f"{capital(_shared_knee(study, curves))}."
    return f"{'; '.join(f'{listed(named)}: {text}' for text, named in names.items())}."


def _knee_text(study: Study, curve: Curve) -> str:
    be = "seems to be" if curve.measured_once else "is"
    knee = curve.knee or Knee(KneeState.TOO_FEW)
    if knee.state is not KneeState.FOUND or knee.at is None:
        return _NO_KNEE[knee.state].format(be=be, high=on_axis(study, knee.high or 0))
    text = (
        f"the knee {be} at {setting(study.axis, knee.at)} "
        f"(between {knee.low:,.6g} and {knee.high:,.6g})"
    )
    limited = [p for p in (curve.at(knee.at), curve.at(knee.high)) if p is not None and p.limited]
    if limited:
        text += f"; at {setting(study.axis, limited[0].value)} the load generator was the limit"
    return text


_NO_KNEE = {
    KneeState.TOO_FEW: "there are too few loads to show a knee",
    KneeState.FLAT: "no knee is shown: the points cannot be told apart",
    KneeState.ABOVE: "there {be} no knee up to the highest load",
    KneeState.BELOW: "the knee {be} below {high}",
}


def _shared_knee(study: Study, curves: Sequence[Curve]) -> str:
    """One clause on the knees of curves that nothing tells apart, of which each would say another."""
    knees = {curve_name(study, c): c.knee.at for c in _with_knee(curves) if c.knee and c.knee.at}
    if not knees:
        return "no knee is shown"
    if len(knees) < len(curves):
        shown = listed([f"{name} at {setting(study.axis, at)}" for name, at in knees.items()])
        return f"whether there is a knee is not clear: all are alike, and only {shown} shows one"
    be = "seems to be" if any(curve.measured_once for curve in curves) else "is"
    first, last = min(knees.values()), max(knees.values())
    between = f"between {first:,.6g} and" if first < last else "at"
    return f"the knee {be} {between} {setting(study.axis, last)}"


def knee_cause(curves: Sequence[Curve]) -> str:
    """That the knees cannot be the work of conflicts; empty where they can, or there are none."""
    costs = [
        cost
        for curve in _with_knee(curves)
        if (place := curve.at(curve.knee and curve.knee.at)) is not None
        and (cost := place.middle("cost")) is not None
    ]
    if not costs or max(costs) >= HURTS:
        return ""
    return (
        f"Conflicts cost {about(max(costs))} of the time there, too little to make a knee: something "
        "else does, such as the processors, the connections or the network."
    )


def _with_knee(curves: Sequence[Curve]) -> list[Curve]:
    return [c for c in curves if c.knee is not None and c.knee.state is KneeState.FOUND]


def _like(curves: Sequence[Curve]) -> bool:
    """Whether chance alone may tell the throughput of the curves apart, wherever all were measured."""
    for place in curves[0].places:
        there = [other for curve in curves if (other := curve.at(place.value)) is not None]
        values = [other.all("throughput_tps") for other in there]
        once = any(len(other.runs) == 1 for other in there)
        if all(values) and max(map(min, values)) > min(map(max, values)) * (1 + _TPS_APART * once):
            return False
    return True


def left_out_of_law(curve: Curve) -> str:
    """Which points the law was fitted without, as the end of a clause; empty if it has them all."""
    limited = [f"{place.value:,}" for place in curve.places if place.limited]
    if not limited or curve.series.target is not None:
        return ""
    return f", without {' and '.join(limited)} users"
