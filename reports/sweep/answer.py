"""A sweep's answer in words: where contention begins to hurt, for who will read one sentence."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from reports.style import DASH, THIN, about, milliseconds, number
from reports.sweep.cost import HURTS, OnsetState
from reports.sweep.folder import Axis
from reports.sweep.knee import KneeState
from reports.sweep.study import Curve, Place, Study, Values, setting

_MOST_PANELS = 3
"""Panels that a headline names one by one."""
_NOTHING = 0.01
"""A cost below this is not worth a comparison."""
_ALIKE = 0.05
"""Nor is a relative difference below this."""
_MOST_CURVES = 3
"""Curves that the lede says something of one by one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline, the few sentences under it, and lines that must not be overlooked."""

    headline: str
    lede: str
    attention: tuple[str, ...] = ()


def answer(study: Study, attention: tuple[str, ...] = ()) -> Answer:
    """What the sweep found."""
    if not any(place.middle("throughput_tps") for curve in study.curves for place in curve.places):
        return Answer("Nothing was committed at any point.", "", attention)
    if all(curve.onset is None for curve in study.curves):
        return Answer(_extremes(study), _lede(study), attention)
    return Answer(_onset_headline(study), f"{_MEANING} {_lede(study)}".strip(), attention)


_MEANING = (
    f"It is said to hurt where {about(HURTS)} of the time that users work on transactions goes into "
    "attempts that conflicted and the waits before trying again."
)


# ------------------------------------------------------------------ where it begins


def _onset_headline(study: Study) -> str:
    # Of a panel with a single point, in a sweep that was stopped early, there is nothing to say.
    known = {curve.panel for curve in study.curves if curve.onset is not None}
    panels = [_panel_clause(study, values) for values in study.panel_values if values in known]
    if len(panels) == 1:
        return _sentence(study, panels[0])
    if len({clause.key for clause in panels}) == 1 and not panels[0].found:
        return _sentence(study, panels[0])
    if len(panels) <= _MOST_PANELS and len(study.panels) == 1:
        return _several(study, panels)
    return _range(study, panels)


@dataclass(frozen=True, slots=True)
class _Clause:
    """What one panel, or one curve, says of the onset: a state, and about where."""

    name: str
    state: OnsetState
    at: float | None
    series: tuple["_Clause", ...] = ()
    """Its curves, where they say different things."""

    @property
    def found(self) -> bool:
        return self.state is OnsetState.FOUND

    @property
    def key(self) -> tuple[object, ...]:
        return (self.state, *(one.state for one in self.series))


def _panel_clause(study: Study, values: Values) -> _Clause:
    """One clause for all curves of a panel if nothing tells them apart, else one for each."""
    curves = [curve for curve in study.of_panel(values) if curve.onset is not None]
    name = study.panel_name(values)
    clauses = tuple(
        _Clause(curve.series.name, curve.onset.state, curve.onset.at)
        for curve in curves
        if curve.onset is not None
    )
    states = {clause.state for clause in clauses}
    if len(states) == 1 and (OnsetState.FOUND not in states or _alike(curves)):
        return _Clause(name, states.pop(), _mean(c.at for c in clauses))
    first = min((c for c in clauses if c.found), key=lambda c: c.at or 0.0, default=clauses[0])
    return _Clause(name, first.state, first.at, clauses)


def _alike(curves: Sequence[Curve]) -> bool:
    """Whether the places between which the curves' onsets lie have one in common."""
    ends = [
        sorted((curve.onset.low, curve.onset.high))
        for curve in curves
        if curve.onset is not None and curve.onset.low is not None and curve.onset.high is not None
    ]
    return max(end[0] for end in ends) < min(end[1] for end in ends)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else None


def _sentence(study: Study, clause: _Clause) -> str:
    if clause.series:
        parts = [f"{_phrase(study, one)} with {one.name} keys" for one in clause.series]
        return f"Contention {_listed(parts)}."
    return f"Contention {_phrase(study, clause)}."


def _several(study: Study, panels: Sequence[_Clause]) -> str:
    parts = []
    for clause in panels:
        if clause.series:
            found = [one.at for one in clause.series if one.found and one.at]
            if found and len(found) == len(clause.series):
                parts.append(f"{_starts(study)} {_range_text(study, found)} with {clause.name}")
                continue
        parts.append(f"{_phrase(study, clause)} with {clause.name}")
    return f"Contention {_listed(_without_repeated_start(study, parts))}."


def _without_repeated_start(study: Study, parts: Sequence[str]) -> list[str]:
    start = f"{_starts(study)} "
    seen, found = False, []
    for part in parts:
        found.append(part.removeprefix(start) if seen else part)
        seen = seen or part.startswith(start)
    return found


def _range(study: Study, panels: Sequence[_Clause]) -> str:
    """For many combinations: the range of those in which a place was found, and how many are else."""
    found = [clause.at for clause in panels if clause.found and clause.at]
    states = [clause.state for clause in panels]
    of = f"{len(panels)} combinations of {_listed([_plain(axis) for axis in study.panels])}"
    parts = []
    if found:
        many = "" if len(found) == len(panels) else f" in {len(found)} of {of}"
        parts.append(f"{_starts(study)} {_range_text(study, found)}{many or ', depending on '}")
        if not many:
            parts[0] += _listed([_plain(axis) for axis in study.panels])
    for state in (OnsetState.BEFORE, OnsetState.NOT_REACHED, OnsetState.UNCLEAR):
        if count := states.count(state):
            rest = parts and states.count(state) + len(found) == len(panels)
            where = f"in {count} of {of}" if not parts else f"in {'the other ' if rest else ''}{count}"
            parts.append(f"{_phrase(study, _Clause('', state, None))} {where}")
    return f"Contention {_listed(parts)}."


def _plain(axis: Axis) -> str:
    return axis.name.replace("_", " ")


def _starts(study: Study) -> str:
    return "starts to hurt at" if study.axis.name in ("users", "rate") else "hurts below"


def _range_text(study: Study, found: Sequence[float]) -> str:
    low, high = _rounded(min(found)), _rounded(max(found))
    if low == high:
        return f"about {_of_axis(study, min(found))}"
    return f"about {low} to {_of_axis(study, max(found))}"


def _phrase(study: Study, clause: _Clause) -> str:
    """A clause that follows the word *contention*."""
    load = study.axis.name in ("users", "rate")
    values = [place.value for curve in study.curves for place in curve.places]
    if clause.state is OnsetState.FOUND and clause.at is not None:
        return f"{_starts(study)} about {_of_axis(study, clause.at)}"
    if clause.state is OnsetState.NOT_REACHED:
        return f"does not hurt {f'up to {setting(study.axis, max(values))}' if load else _down(study)}"
    if clause.state is OnsetState.BEFORE:
        ends = (min(values), max(values)) if load else (max(values), min(values))
        return f"hurts already at {setting(study.axis, ends[0])}"
    return "shows no clear beginning"


def _down(study: Study) -> str:
    values = [place.value for curve in study.curves for place in curve.places]
    return f"down to {setting(study.axis, min(values))}"


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


def _extremes(study: Study) -> str:
    """For an axis without a direction: where contention costs most, and where least."""
    cells: dict[str, list[float]] = {}
    for curve in study.curves:
        for place in curve.places:
            name = ", ".join(
                filter(None, (setting(study.axis, place.value), study.panel_name(curve.panel)))
            )
            cells.setdefault(name, []).extend(place.all("cost"))
    known = {name: costs for name, costs in cells.items() if costs}
    if not known:
        return "What contention costs is not known of any point."
    if len(known) == 1:
        (name, costs), *_ = known.items()
        return f"Contention costs {about(mean(costs))} of the time with {name}, the only known point."
    most, least = (pick(known, key=lambda name: mean(known[name])) for pick in (max, min))
    high, low = mean(known[most]), mean(known[least])
    if high < _NOTHING:
        return f"Contention costs less than {about(_NOTHING)} of the time at every point."
    if min(known[most]) <= max(known[least]) or high < low * (1 + _ALIKE):
        return (
            f"Contention costs about as much at every point: {about(low)} to {about(high)} of the time."
        )
    return (
        f"Contention costs most with {most}, {about(high)} of the time, and least with {least}, "
        f"{about(low)}."
    )


# ------------------------------------------------------------------ what stands under it


def _lede(study: Study) -> str:
    if len(study.curves) <= _MOST_CURVES:
        return " ".join(_capital(text) for text in _few(study) if text)
    rates = [
        rate
        for curve in study.curves
        for place in curve.places
        if (rate := place.middle("conflict_rate")) is not None
    ]
    tops = [_best(curve).middle("throughput_tps") or 0.0 for curve in study.curves]
    text = f"Over all {len(study.figures)} points "
    if rates:
        text += f"between {about(min(rates))} and {about(max(rates))} of attempts conflicted, and "
    return text + (
        f"throughput reached {tps(min(tops))} to {tps(max(tops))} transactions/s, "
        f"depending on {_listed([_plain(axis) for axis in study.panels] or ['keys'])}."
    )


def _few(study: Study) -> Iterator[str]:
    """What is known of each curve, said once where it is the same."""
    names = [curve_name(study, curve) for curve in study.curves]
    best = [_best(curve) for curve in study.curves]
    yield _shared(
        names,
        [f"at {setting(study.axis, place.value)}" for place in best],
        [f"{tps(place.middle('throughput_tps') or 0.0)} transactions/s" for place in best],
        "throughput is highest",
    )
    if all(curve.knee is not None for curve in study.curves):
        texts = [knee_text(study, curve) for curve in study.curves]
        if len(set(texts)) == 1:
            yield f"{texts[0]}."
        else:
            parts = [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]
            yield f"{'; '.join(parts)}."
        yield _cause(study)
    if study.numeric:
        last = [_most_contended(study, curve) for curve in study.curves]
        said = [about(place.middle("conflict_rate") or 0.0) for place in last]
        if len(names) > 1:
            said = [f"{rate} ({name})" for rate, name in zip(said, names, strict=True)]
        if len({place.value for place in last}) == 1:
            where = setting(study.axis, last[0].value)
            yield f"at {where} {_listed(said)} of attempts conflict."


def _cause(study: Study) -> str:
    """Whether the knees can be the work of conflicts; empty where they can, or there are none."""
    costs = [
        cost
        for curve in study.curves
        if curve.knee is not None
        and (place := curve.at(curve.knee.at)) is not None
        and (cost := place.middle("cost")) is not None
    ]
    if not costs or max(costs) >= HURTS:
        return ""
    return (
        f"conflicts cost {about(max(costs))} of the time there, too little to make a knee: something "
        "else does, such as the processors, the connections or the network."
    )


def _shared(names: list[str], places: list[str], values: list[str], what: str) -> str:
    """`throughput is highest at 64 users: 900 transactions/s (int), 870 transactions/s (uuid).`"""
    if len(names) == 1:
        return f"{what} {places[0]}: {values[0]}."
    if len(set(places)) == 1:
        said = [f"{value} ({name})" for name, value in zip(names, values, strict=True)]
        return f"{what} {places[0]}: {', '.join(said)}."
    said = [f"{v} {p} ({n})" for n, p, v in zip(names, places, values, strict=True)]
    return f"{what}: {', '.join(said)}."


_NAMES_FIRST = ("int", "uuid")
"""A sentence that begins with a key type begins with a small letter, for it is a name."""


def _capital(text: str) -> str:
    return text if text.startswith(_NAMES_FIRST) else text[:1].upper() + text[1:]


def _best(curve: Curve) -> Place:
    return max(curve.places, key=lambda place: place.middle("throughput_tps") or 0.0)


def _most_contended(study: Study, curve: Curve) -> Place:
    """The end of the axis at which contention is expected to be the worst."""
    return curve.places[0 if study.axis.name in ("accounts", "think_time") else -1]


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
    if knee.state is KneeState.FOUND and knee.at is not None:
        return f"the knee is at {setting(study.axis, knee.at)} ({_between(knee.low, knee.high)})"
    if knee.state is KneeState.BELOW:
        return f"the knee is below {_of_axis(study, knee.high or 0)}, nearer than these points show"
    if knee.state is KneeState.ABOVE:
        return "there is no knee up to the highest load"
    if knee.state is KneeState.FLAT:
        return "no knee is shown: the points cannot be told apart"
    return "there are too few loads to show a knee"


def _between(low: float | None, high: float | None) -> str:
    return f"between {_exact(low)} and {_exact(high)}"


def _exact(value: float | None) -> str:
    return DASH if value is None else f"{value:,.6g}".replace(" ", THIN)


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
