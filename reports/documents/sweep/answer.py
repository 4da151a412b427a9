"""A sweep's answer in words: where contention begins to hurt, for who will read one sentence."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import mean

from reports.documents.answer import Answer, sentences
from reports.statistics.sweep.cost import HURTS, Onset, OnsetState
from reports.statistics.sweep.curve_text import (
    MOST_CURVES,
    knee_cause,
    knees_text,
    on_axis,
    onset_phrase,
    rounded,
    tps,
)
from reports.statistics.sweep.shared_onset import shared_onset
from reports.statistics.sweep.study import Curve, Study, Values, failing, setting
from reports.text.rounding import about, listed, plural

_MOST_NAMED = 4
"""Panels, or key types in them, that a headline names one by one."""
_NOTHING = 0.01
"""A cost below this is not worth a comparison."""
_ALIKE = 0.05
"""Nor is a relative difference below this."""
_STATES = {
    OnsetState.FOUND: (OnsetState.FOUND,),
    OnsetState.BEFORE: (OnsetState.BEFORE,),
    OnsetState.NOT_REACHED: (OnsetState.NOT_REACHED,),
    # Without a place there is no more to say of what is open than of what is unclear.
    OnsetState.UNCLEAR: (OnsetState.UNCLEAR, OnsetState.OPEN),
}
"""In which order many panels are counted, and which states are counted together."""


def answer(study: Study, attention: tuple[str, ...] = ()) -> Answer:
    """What the sweep found; points at which transactions failed come first: their load is another."""
    if not any(place.middle("throughput_tps") for curve in study.curves for place in curve.places):
        return Answer("Nothing was committed at any point.", "", attention)
    has_onset = any(curve.onset is not None for curve in study.curves)
    headline = _onset_headline(study) if has_onset else _extremes(study)
    if points := failing(study):
        most = about(max(share for _, share in points))
        headline = f"At {plural(len(points), 'point')} up to {most} of transactions failed. {headline}"
    return Answer(headline, _lede(study), attention)


# ------------------------------------------------------------------ where it begins


@dataclass(frozen=True, slots=True)
class _Clause:
    """What one panel, or one curve of it, says of the onset."""

    name: str
    onset: Onset
    ends: tuple[float, float]
    """The lowest and the highest value of the axis that each of its curves was measured at."""


_Phrase = tuple[str, str]
"""A verb, and where."""


def _onset_headline(study: Study) -> str:
    # Of a panel with a single point, in a sweep that was stopped early, there is nothing to say.
    by_panel = {v: clauses for v in study.panel_values if (clauses := _clauses(study, v))}
    every = list(product(*(axis.values for axis in study.panels)))
    unknown = [study.panel_name(values) for values in every if values not in by_panel]
    clauses = [clause for clauses in by_panel.values() for clause in clauses]
    names: dict[_Phrase, list[str]] = {}
    for clause in clauses:
        names.setdefault(onset_phrase(study, clause.onset, clause.ends), []).append(clause.name)
    if len(names) == 1 and not unknown:
        parts = [(phrase, "") for phrase in names]
    elif len(clauses) <= _MOST_NAMED:
        parts = [(phrase, f"with {listed(named)}") for phrase, named in names.items()]
    else:
        parts = _counted(study, [_first(clauses) for clauses in by_panel.values()])
    texts, before = [], ""
    for (verb, where), name in parts:
        # A verb is not repeated after itself.
        texts.append(sentences("" if verb == before else verb, where, name))
        before = verb
    text = f"Contention {listed(texts)}."
    if unknown:
        few = len(unknown) < _MOST_NAMED
        rest = listed(unknown) if few else f"{len(unknown)} of {len(every)} settings"
        text += f" With {rest} it is not known."
    return text


def _clauses(study: Study, values: Values) -> list[_Clause]:
    """One clause for all curves of a panel if nothing tells them apart, else one for each."""
    name = study.panel_name(values)
    curves = [(curve, curve.onset) for curve in study.of_panel(values) if curve.onset is not None]
    shared = shared_onset(study, curves) if curves else None
    if shared is not None:
        return [_Clause(name, shared, _ends(curve for curve, _ in curves))]
    return [
        _Clause(", ".join(filter(None, (name, f"{curve.series.name} keys"))), onset, _ends([curve]))
        for curve, onset in curves
    ]


def _ends(curves: Iterable[Curve]) -> tuple[float, float]:
    """The lowest and the highest value at which each of the curves was measured."""
    values = [[place.value for place in curve.places] for curve in curves]
    return max(map(min, values)), min(map(max, values))


def _first(clauses: Sequence[_Clause]) -> _Clause:
    """The clause of the curve that begins to hurt first."""
    return min(clauses, key=lambda c: (c.onset.state is not OnsetState.FOUND, c.onset.at or 0.0))


def _counted(study: Study, panels: Sequence[_Clause]) -> list[tuple[_Phrase, str]]:
    """Phrases for many panels, by state: between which places, and in how many of them."""
    parts: list[tuple[_Phrase, str]] = []
    of = f" of {len(panels)} combinations of {listed([a.name.replace('_', ' ') for a in study.panels])}"
    for state, states in _STATES.items():
        mine = [clause for clause in panels if clause.onset.state in states]
        if not mine:
            continue
        # What holds for each of them: where some points failed, not all were measured as far.
        ends = max(clause.ends[0] for clause in mine), min(clause.ends[1] for clause in mine)
        onsets = [clause.onset.at for clause in mine if clause.onset.at]
        verb, where = onset_phrase(study, Onset(state, max(onsets, default=None)), ends)
        if onsets and rounded(min(onsets)) != rounded(max(onsets)):
            where = f"about {rounded(min(onsets))} to {on_axis(study, max(onsets))}"
        parts.append(((verb, where), f"in {len(mine)}{'' if parts else of}"))
    return parts


def _extremes(study: Study) -> str:
    """For an axis without a direction: where contention costs most, and where least."""
    costs: dict[str, list[float]] = {}
    for curve in study.curves:
        for place in curve.places:
            names = (setting(study.axis, place.value), study.panel_name(curve.panel))
            if known := place.all("cost"):
                costs.setdefault(", ".join(filter(None, names)), []).extend(known)
    if not costs:
        return "What contention costs is not known of any point."
    most, least = (pick(costs, key=lambda name: mean(costs[name])) for pick in (max, min))
    high, low = mean(costs[most]), mean(costs[least])
    if len(costs) == 1:
        return f"Contention costs {about(high)} of the time with {most}, the only known point."
    if high < _NOTHING:
        text = f"less than {about(_NOTHING)} of the time at every point"
    elif min(costs[most]) <= max(costs[least]) or high < low * (1 + _ALIKE):
        text = f"about as much at every point: {about(low)} to {about(high)} of the time"
    else:
        text = f"most with {most}, {about(high)} of the time, and least with {least}, {about(low)}"
    planned = len(study.axis.values) * math.prod(len(axis.values) for axis in study.panels)
    rest = f" {planned - len(costs)} of {planned} points are not known." if len(costs) < planned else ""
    return f"Contention costs {text}.{rest}"


# ------------------------------------------------------------------ what stands under it


def _lede(study: Study) -> str:
    """What is meant by hurting, how far throughput and conflicts reach, and the knees."""
    onsets = [curve.onset.state for curve in study.curves if curve.onset is not None]
    once = OnsetState.FOUND in onsets and all(curve.measured_once for curve in study.curves)
    tops = [max(place.middle("throughput_tps") or 0.0 for place in c.places) for c in study.curves]
    places = [place for curve in study.curves for place in curve.places]
    rates = sorted(rate for p in places if (rate := p.middle("conflict_rate")) is not None)
    return sentences(
        f"It is said to hurt where {about(HURTS)} of the time that users work on transactions goes "
        "into attempts that conflicted and the waits before trying again."
        if onsets
        else "",
        "Each point was measured once, so chance may have moved where that begins." if once else "",
        f"Throughput reached {_range(list(map(tps, sorted(tops))))} transactions/s.",
        f"The conflict rate was {_range(list(map(about, rates)))}." if rates else "",
        knees_text(study, study.curves),
        knee_cause(study.curves) if len(study.curves) <= MOST_CURVES else "",
    )


def _range(texts: Sequence[str]) -> str:
    """`2 to 5`, of texts in ascending order, or what all of them say."""
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"
