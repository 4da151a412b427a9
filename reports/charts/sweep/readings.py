"""What each chart of a sweep says, in a sentence or two made from its figures."""

from collections.abc import Mapping, Sequence

from reports.statistics.sweep.cost import HURTS, OnsetState
from reports.statistics.sweep.curve_text import curve_name, knee_text, shared_knee, tps
from reports.statistics.sweep.knee import KneeState
from reports.statistics.sweep.predicted import Predicted
from reports.statistics.sweep.study import Curve, Study, setting
from reports.text.rounding import about, milliseconds

_MOST_CURVES = 3
"""Curves of which each has a sentence; of more only the ends are said."""


def of_figure(study: Study, figure: str, predicted: Mapping[int, Predicted]) -> str:
    """What the chart of this figure of `Measured` shows."""
    known = [(place, c) for place, c in enumerate(study.curves) if _ends(study, c, figure)]
    if len(known) <= _MOST_CURVES:
        curves = [curve for _, curve in known]
        knee = figure == "throughput_tps" and all(curve.knee is not None for curve in curves)
        shared = shared_knee(study, curves) if knee else ""
        text = " ".join(_sentence(study, curve, figure, knee=not shared) for curve in curves)
        text += f" {shared[:1].upper()}{shared[1:]}." if shared else ""
    else:
        text = _overall(study, [curve for _, curve in known], figure)
        text += _marks([curve for _, curve in known], figure)
    said = [predicted[place] for place, _ in known if place in predicted]
    if figure in ("throughput_tps", "conflict_rate", "retry_rate") and said:
        text += f" {_dotted(said)}"
    return text


def _dotted(said: Sequence[Predicted]) -> str:
    """What the predicted lines were made from."""
    bases = list(dict.fromkeys(one.basis for one in said))
    where = bases[0] if len(bases) == 1 else "the calmest setting of each panel"
    text = f"Dotted: predicted from the run at {where}, with attempts as long as there"
    placed = list(dict.fromkeys(one.placed_by for one in said if one.placed_by))
    if not placed:
        return f"{text}."
    told = placed[0] if len(placed) == 1 else "the calmest setting with conflicts enough"
    return f"{text}; when in COMMIT they are decided is learnt from the run at {told}."


def _sentence(study: Study, curve: Curve, figure: str, *, knee: bool = True) -> str:
    name = curve_name(study, curve)
    if figure == "throughput_tps" and curve.knee is not None:
        best = max(curve.places, key=lambda place: place.middle(figure) or 0.0)
        top = tps(best.middle(figure) or 0.0)
        where = setting(study.axis, best.value)
        clause = f"; {knee_text(study, curve)}" if knee else ""
        return f"{name}: at most {top} /s, at {where}{clause}."
    if figure == "cost" and curve.onset is not None:
        return f"{name}: {_onset(study, curve)}."
    ends = _ends(study, curve, figure)
    if not ends:
        return ""
    if not study.numeric:
        return f"{name}: {_from_to(curve, figure)}."
    (first, low), (last, high) = ends
    if first == last:
        return f"{name}: {_said(figure, low)} at {first}, the only known point."
    return f"{name}: {_said(figure, low)} at {first}, {_said(figure, high)} at {last}."


def _from_to(curve: Curve, figure: str) -> str:
    """The lowest and the highest value, for an axis that has no ends."""
    known = [place for place in curve.places if place.middle(figure) is not None]
    low, high = (pick(known, key=lambda p: p.middle(figure) or 0.0) for pick in (min, max))
    if len(known) == 1:
        return f"{_said(figure, low.middle(figure) or 0.0)} ({low.label}), the only known point"
    return " to ".join(
        f"{_said(figure, place.middle(figure) or 0.0)} ({place.label})" for place in (low, high)
    )


def _onset(study: Study, curve: Curve) -> str:
    onset = curve.onset
    ends = _ends(study, curve, "cost")
    last = f"{about(ends[1][1])} at {ends[1][0]}" if ends else ""
    if onset is None or onset.state is OnsetState.UNCLEAR:
        return f"passes {about(HURTS)} and falls back below it further on, {last}"
    if onset.state is OnsetState.OPEN:
        sides = [
            setting(study.axis, place.value)
            for place in (curve.places[0], curve.places[-1])
            if (costs := place.all("cost")) and min(costs) < HURTS <= max(costs)
        ]
        where = f"the repeats at {' and at '.join(sides)} lie" if sides else "its repeats lie"
        return f"{where} on both sides of {about(HURTS)}, {last}"
    if onset.state is OnsetState.NOT_REACHED:
        return f"below {about(HURTS)} everywhere, {last}"
    if onset.state is OnsetState.BEFORE:
        return f"above {about(HURTS)} everywhere, {last}"
    low, high = sorted((onset.low or 0.0, onset.high or 0.0))
    passes = "seems to pass" if curve.measured_once else "passes"
    return f"{passes} {about(HURTS)} between {low:,.6g} and {setting(study.axis, high)}; {last}"


def _ends(
    study: Study, curve: Curve, figure: str
) -> tuple[tuple[str, float], tuple[str, float]] | None:
    known = [
        (setting(study.axis, place.value), value)
        for place in curve.places
        if (value := place.middle(figure)) is not None
    ]
    return (known[0], known[-1]) if known else None


def _overall(study: Study, curves: list[Curve], figure: str) -> str:
    values = [
        (value, curve, place)
        for curve in curves
        for place in curve.places
        if (value := place.middle(figure)) is not None
    ]
    low, high = min(values, key=lambda one: one[0]), max(values, key=lambda one: one[0])

    def where(one: tuple[float, Curve, object]) -> str:
        place = one[2]
        return f"{curve_name(study, one[1])} at {setting(study.axis, place.value)}"  # type: ignore[attr-defined]

    if len(values) == 1:
        return f"{_said(figure, low[0])} ({where(low)}), the only known point."
    return f"From {_said(figure, low[0])} ({where(low)}) to {_said(figure, high[0])} ({where(high)})."


def _said(figure: str, value: float) -> str:
    if figure == "throughput_tps":
        return f"{tps(value)} /s"
    return milliseconds(value) if figure.endswith("_ms") else about(value)


def _marks(curves: list[Curve], figure: str) -> str:
    """On how many lines there is something to see, where each is too much to say."""
    if figure == "throughput_tps" and all(curve.knee is not None for curve in curves):
        found = sum(c.knee is not None and c.knee.state is KneeState.FOUND for c in curves)
        return f" A knee is shown on {found} of {len(curves)} lines."
    if figure == "cost" and all(curve.onset is not None for curve in curves):
        hurt = (OnsetState.FOUND, OnsetState.BEFORE)
        found = sum(c.onset is not None and c.onset.state in hurt for c in curves)
        return f" {found} of {len(curves)} lines pass {about(HURTS)}."
    return ""


def of_cells(study: Study, figure: str, curves: list[Curve]) -> str:
    """Where a heat map is lightest and where darkest."""
    return _overall(study, curves, figure)
