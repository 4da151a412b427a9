"""A sweep's answer in words: where contention begins to hurt, for who will read one sentence."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product
from statistics import mean
from typing import Any

from loadtest.record.sweep import Axis
from reports.statistics.sweep.cost import HURTS, OnsetState
from reports.statistics.sweep.curve_text import (
    _TPS_APART,
    _exact,
    _has_knee,
    _of_axis,
    _rounded,
    curve_name,
    knee_text,
    shared_knee,
    tps,
)
from reports.statistics.sweep.study import (
    GROWING,
    NUMBERS,
    Curve,
    Place,
    Study,
    Values,
    failing,
    position,
    setting,
    span,
)
from reports.text.rounding import about, listed, plural

_MOST_PANELS = 3
"""Panels that a headline names one by one."""
_NOTHING = 0.01
"""A cost below this is not worth a comparison."""
_ALIKE = 0.05
"""Nor is a relative difference below this."""
_APART = 0.25
"""Costs at one place of the axis that differ by less, as a share, are not told apart by the line."""
_MOST_CURVES = 3
"""Curves that the lede says something of one by one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline, the few sentences under it, and lines that must not be overlooked."""

    headline: str
    lede: str
    attention: tuple[str, ...] = ()


def answer(study: Study, attention: tuple[str, ...] = ()) -> Answer:
    """What the sweep found; points that are of another load than others, for transactions failed there,
    come first.
    """
    found = _answer(study, attention)
    if not (points := failing(study)):
        return found
    most = about(max(share for _, share in points))
    first = f"At {plural(len(points), 'point')} up to {most} of transactions failed."
    return replace(found, headline=f"{first} {found.headline}")


def _answer(study: Study, attention: tuple[str, ...]) -> Answer:
    if not any(place.middle("throughput_tps") for curve in study.curves for place in curve.places):
        return Answer("Nothing was committed at any point.", "", attention)
    if all(curve.onset is None for curve in study.curves):
        return Answer(_extremes(study), _lede(study), attention)
    once = _ONCE if _places_named(study) and all(c.measured_once for c in study.curves) else ""
    return Answer(_onset_headline(study), f"{_MEANING}{once} {_lede(study)}".strip(), attention)


_MEANING = (
    f"It is said to hurt where {about(HURTS)} of the time that users work on transactions goes into "
    "attempts that conflicted and the waits before trying again."
)
_ONCE = " Each point was measured once, so chance may have moved where that begins."


def _places_named(study: Study) -> bool:
    return any(curve.onset and curve.onset.state is OnsetState.FOUND for curve in study.curves)


# ------------------------------------------------------------------ where it begins


def _onset_headline(study: Study) -> str:
    # Of a panel with a single point, in a sweep that was stopped early, there is nothing to say.
    known = {curve.panel for curve in study.curves if curve.onset is not None}
    found = {values: _panel_clause(study, values) for values in study.panel_values if values in known}
    panels = list(found.values())
    every = list(product(*(axis.values for axis in study.panels)))
    unknown = [study.panel_name(values) for values in every if values not in known]
    if len({clause.key for clause in panels}) == 1 and (len(every) == 1 or not panels[0].found):
        said = _sentence(study, panels[0])
        if not unknown:
            return said
    named = _neighbours_together(study, found)
    if len(named) <= _MOST_PANELS and (len(study.panels) == 1 or len(panels) == 1):
        said = _several(study, named)
    else:
        said = _range(study, panels)
    if not unknown:
        return said
    if len(unknown) <= _MOST_PANELS:
        return f"{said} With {listed(unknown)} it is not known."
    return f"{said} Of {len(unknown)} of {len(every)} combinations it is not known."


@dataclass(frozen=True, slots=True)
class _Clause:
    """What one panel, or one curve, says of the onset: a state, and about where."""

    name: str
    state: OnsetState
    at: float | None
    ends: tuple[float, float]
    """The lowest and the highest value of the axis that was measured."""
    series: tuple["_Clause", ...] = ()
    """Its curves, where they say different things."""
    low: float | None = None
    high: float | None = None
    """As of `Onset`."""

    @property
    def found(self) -> bool:
        return self.state is OnsetState.FOUND

    @property
    def all_found(self) -> bool:
        """Whether it, or each of its curves, has a place."""
        return all(one.found for one in self.series or (self,))

    @property
    def key(self) -> tuple[object, ...]:
        return (self.state, self.ends, *(one.state for one in self.series))


def _neighbours_together(study: Study, panels: dict[Values, _Clause]) -> list[_Clause]:
    """Where panels lie along numbers, one clause for neighbours that say the same; if those are too
    many for a headline, also one for neighbours that each have a place of their own.
    """
    if len(study.panels) != 1 or study.panels[0].name not in NUMBERS:
        return list(panels.values())
    axis = study.panels[0]
    along = sorted(axis.values, key=lambda value: position(axis, value))

    def joined(*alike: OnsetState) -> list[_Clause]:
        def kind(value: Any) -> tuple[object, ...]:
            clause = panels.get((value,))
            if clause is None or clause.state not in alike or (clause.series and not clause.all_found):
                return (value,)
            return clause.state, clause.ends

        groups = (list(values) for _, values in groupby(along, kind))
        return [_joined(axis, panels, values) for values in groups if (values[0],) in panels]

    plain = (OnsetState.BEFORE, OnsetState.NOT_REACHED, OnsetState.UNCLEAR)
    same = joined(*plain)
    return same if len(same) <= _MOST_PANELS else joined(*plain, OnsetState.FOUND)


def _joined(axis: Axis, panels: dict[Values, _Clause], values: Sequence[Any]) -> _Clause:
    """One clause for these panels, in which their curves say the same or each has a place."""
    clauses = [panels[value,] for value in values]
    if len(clauses) == 1:
        return clauses[0]
    series = tuple(one for clause in clauses for one in clause.series or (clause,) if one.found)
    return replace(clauses[0], name=span(axis, values[0], values[-1]), series=series)


def _panel_clause(study: Study, values: Values) -> _Clause:
    """One clause for all curves of a panel if nothing tells them apart, else one for each."""
    curves = [curve for curve in study.of_panel(values) if curve.onset is not None]
    name = study.panel_name(values)
    clauses = tuple(
        _Clause(
            curve.series.name,
            curve.onset.state,
            curve.onset.at,
            _ends([curve]),
            low=curve.onset.low,
            high=curve.onset.high,
        )
        for curve in curves
        if curve.onset is not None
    )
    states = {clause.state for clause in clauses}
    if len(states) == 1 and states & {OnsetState.NOT_REACHED, OnsetState.BEFORE, OnsetState.UNCLEAR}:
        return _Clause(name, states.pop(), None, _ends(curves))
    if _alike(study, curves):
        at, ends = _mean(c.at for c in clauses), _ends(curves)
        if states == {OnsetState.FOUND}:
            return _Clause(name, OnsetState.FOUND, at, ends)
        brackets = [_bracket(study, curve) for curve in curves]
        low, high = min(low for low, _ in brackets), max(high for _, high in brackets)
        return _Clause(
            name,
            OnsetState.OPEN,
            None,
            ends,
            low=_on_axis(study, low),
            high=_on_axis(study, high),
        )
    first = min((c for c in clauses if c.found), key=lambda c: c.at or 0.0, default=clauses[0])
    return _Clause(name, first.state, first.at, first.ends, clauses)


def _ends(curves: Sequence[Curve]) -> tuple[float, float]:
    """The lowest and the highest value at which each of the curves was measured."""
    values = [[place.value for place in curve.places] for curve in curves]
    return max(map(min, values)), min(map(max, values))


def _alike(study: Study, curves: Sequence[Curve]) -> bool:
    """Whether nothing tells the places apart between which the curves' onsets lie.

    They have a place in common; or one begins where another ends, and there the costs, on both sides of
    the line, hardly differ.
    """
    if any(curve.onset is None or curve.onset.state is OnsetState.UNCLEAR for curve in curves):
        return False
    brackets = [_bracket(study, curve) for curve in curves]
    first, last = max(low for low, _ in brackets), min(high for _, high in brackets)
    if first != last:
        return first < last
    common = _on_axis(study, first)
    costs = [place.all("cost") for curve in curves if (place := curve.at(common)) is not None]
    return max(map(min, costs)) <= min(map(max, costs)) * (1 + _APART)


def _bracket(study: Study, curve: Curve) -> tuple[float, float]:
    """Between which places a curve's onset lies, in the direction in which contention grows."""
    onset, sign = curve.onset, GROWING[study.axis.name]
    assert onset is not None  # noqa: S101 - the caller chose curves that have one
    known = sorted(sign * place.value for place in curve.places if place.all("cost"))
    if onset.state is OnsetState.NOT_REACHED:
        return known[-1], math.inf
    if onset.state is OnsetState.BEFORE:
        return -math.inf, known[0]
    return (
        -math.inf if onset.low is None else sign * onset.low,
        math.inf if onset.high is None else sign * onset.high,
    )


def _on_axis(study: Study, end: float) -> float | None:
    """An end of a bracket as a value of the axis; None if it is open."""
    return GROWING[study.axis.name] * end if math.isfinite(end) else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else None


def _sentence(study: Study, clause: _Clause) -> str:
    if clause.series:
        phrases = [_phrase(study, one) for one in clause.series]
        if len(set(phrases)) == 1:
            return f"Contention {phrases[0]}."
        parts = [
            f"{phrase} with {one.name} keys" for phrase, one in zip(phrases, clause.series, strict=True)
        ]
        return f"Contention {listed(_without_repeated_start(study, parts))}."
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
    return f"Contention {listed(_without_repeated_start(study, parts))}."


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
    # Without a place there is no more to say of what is open than of what is unclear.
    states = [
        OnsetState.UNCLEAR if clause.state is OnsetState.OPEN else clause.state for clause in panels
    ]
    of = f"{len(panels)} combinations of {listed([_plain(axis) for axis in study.panels])}"
    parts = []
    if found:
        many = "" if len(found) == len(panels) else f" in {len(found)} of {of}"
        parts.append(f"{_starts(study)} {_range_text(study, found)}{many or ', depending on '}")
        if not many:
            parts[0] += listed([_plain(axis) for axis in study.panels])
    for state in (OnsetState.BEFORE, OnsetState.NOT_REACHED, OnsetState.UNCLEAR):
        if count := states.count(state):
            rest = parts and states.count(state) + len(found) == len(panels)
            where = f"in {count} of {of}" if not parts else f"in {'the other ' if rest else ''}{count}"
            mine = [c.ends for c, its in zip(panels, states, strict=True) if its is state]
            # What holds for each of them: where some points failed, not all were measured as far.
            ends = max(low for low, _ in mine), min(high for _, high in mine)
            parts.append(f"{_phrase(study, _Clause('', state, None, ends))} {where}")
    return f"Contention {listed(parts)}."


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
    low, high = clause.ends
    if clause.state is OnsetState.FOUND and clause.at is not None:
        return f"{_starts(study)} about {_of_axis(study, clause.at)}"
    if clause.state is OnsetState.NOT_REACHED:
        end = f"up to {setting(study.axis, high)}" if load else f"down to {setting(study.axis, low)}"
        return f"does not hurt {end}"
    if clause.state is OnsetState.BEFORE:
        return f"hurts already at {setting(study.axis, low if load else high)}"
    first, last = (low, high) if load else (high, low)
    if clause.state is OnsetState.OPEN and clause.low is not None:
        more = "beyond" if load else "below"
        return f"starts to hurt between {clause.low:,.6g} and {setting(study.axis, last)} or {more}"
    if clause.state is OnsetState.OPEN and clause.high is not None:
        less = "below" if load else "above"
        return f"starts to hurt between {first:,.6g} and {setting(study.axis, clause.high)} or {less}"
    return "shows no clear beginning"


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
    planned = len(study.axis.values) * math.prod(len(axis.values) for axis in study.panels)
    rest = f" {planned - len(known)} of {planned} points are not known." if len(known) < planned else ""
    return _extremes_of(known) + rest


def _extremes_of(known: dict[str, list[float]]) -> str:
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
        f"depending on {listed([_plain(axis) for axis in study.panels] or ['keys'])}."
    )


def _few(study: Study) -> Iterator[str]:
    """What is known of each curve, said once where it is the same."""
    names = [curve_name(study, curve) for curve in study.curves]
    best = [_best(curve) for curve in study.curves]
    yield _shared(
        names,
        _where_highest(study, best),
        [f"{tps(place.middle('throughput_tps') or 0.0)} transactions/s" for place in best],
        "throughput is highest",
    )
    if all(curve.knee is not None for curve in study.curves):
        texts = [knee_text(study, curve) for curve in study.curves]
        if shared := shared_knee(study, study.curves):
            texts = [shared]
        if len(set(texts)) == 1:
            yield f"{texts[0]}."
        else:
            parts = [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]
            yield f"{'; '.join(parts)}."
        if not shared or all(_has_knee(curve) for curve in study.curves):
            yield _cause(study)
    if study.numeric:
        last = [_most_contended(study, curve) for curve in study.curves]
        rates = [place.middle("conflict_rate") for place in last]
        # A rate that nobody knows is left out, and not said to be nothing.
        said = [
            about(rate) if len(names) == 1 else f"{about(rate)} ({name})"
            for rate, name in zip(rates, names, strict=True)
            if rate is not None
        ]
        if said and len({place.value for place in last}) == 1:
            where = setting(study.axis, last[0].value)
            yield f"at {where} {listed(said)} of attempts conflict."


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


def _where_highest(study: Study, best: Sequence[Place]) -> list[str]:
    """Where each curve's throughput is highest; the same of all if chance alone may tell them apart."""
    values = list(dict.fromkeys(place.value for place in best))
    if len(values) > 1 and all(
        (other := curve.at(value)) is not None and _as_high(other, place)
        for curve, place in zip(study.curves, best, strict=True)
        for value in values
    ):
        if study.numeric:
            values.sort(key=study.position)
            text = f"between {_exact(values[0])} and {setting(study.axis, values[-1])}"
        else:
            text = f"with {' or '.join(setting(study.axis, value) for value in values)}"
        return [text] * len(best)
    return [f"at {setting(study.axis, place.value)}" for place in best]


def _as_high(place: Place, best: Place) -> bool:
    """Whether the throughput of a place cannot be told from that of the best one."""
    once = min(len(place.runs), len(best.runs)) == 1
    least = min(best.all("throughput_tps")) * (1 - _TPS_APART * once)
    return max(place.all("throughput_tps")) >= least


def _best(curve: Curve) -> Place:
    return max(curve.places, key=lambda place: place.middle("throughput_tps") or 0.0)


def _most_contended(study: Study, curve: Curve) -> Place:
    """The end of the axis at which contention is expected to be the worst."""
    return curve.places[0 if study.axis.name in ("accounts", "think_time") else -1]
