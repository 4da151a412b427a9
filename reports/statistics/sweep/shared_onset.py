"""Whether several curves begin to hurt at places that nothing tells apart."""

import math
from collections.abc import Sequence
from statistics import mean

from reports.statistics.sweep.cost import Onset, OnsetState
from reports.statistics.sweep.study import GROWING, Curve, Study

_APART = 0.25
"""Costs at one place of the axis that differ by less, as a share, are not told apart by the line."""


def shared_onset(study: Study, curves: Sequence[tuple[Curve, Onset]]) -> Onset | None:
    """One onset for curves that nothing tells apart: the brackets between which theirs lie have a place
    in common, or one begins where another ends and there the costs hardly differ. None if they differ.
    """
    states = {onset.state for _, onset in curves}
    if len(states) == 1 and states & {OnsetState.NOT_REACHED, OnsetState.BEFORE, OnsetState.UNCLEAR}:
        return curves[0][1]
    if OnsetState.UNCLEAR in states:
        return None
    brackets = [_bracket(study, curve, onset) for curve, onset in curves]
    first, last = max(low for low, _ in brackets), min(high for _, high in brackets)
    sign = GROWING[study.axis.name]
    if first > last:
        return None
    if first == last:
        costs = [
            place.all("cost") for curve, _ in curves if (place := curve.at(sign * first)) is not None
        ]
        if max(map(min, costs)) > min(map(max, costs)) * (1 + _APART):
            return None
    if states == {OnsetState.FOUND}:
        logs = [math.log(onset.at) for _, onset in curves if onset.at]
        return Onset(OnsetState.FOUND, math.exp(mean(logs)) if logs else None)
    low, high = min(low for low, _ in brackets), max(high for _, high in brackets)
    ends = [sign * end if math.isfinite(end) else None for end in (low, high)]
    return Onset(OnsetState.OPEN, None, *ends)


def _bracket(study: Study, curve: Curve, onset: Onset) -> tuple[float, float]:
    """Between which places a curve's onset lies, in the direction in which contention grows."""
    sign = GROWING[study.axis.name]
    known = sorted(sign * place.value for place in curve.places if place.all("cost"))
    if onset.state is OnsetState.NOT_REACHED:
        return known[-1], math.inf
    if onset.state is OnsetState.BEFORE:
        return -math.inf, known[0]
    low = -math.inf if onset.low is None else sign * onset.low
    return low, math.inf if onset.high is None else sign * onset.high
