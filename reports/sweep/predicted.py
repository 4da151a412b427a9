"""The predicted curve: what the model makes of one run of a panel at all its other loads.

The basis is the panel's run at the lowest load that had conflicts enough to show where the windows lie,
or, without one, the run at the lowest load: few users, many accounts, long pauses. Its record of
attempts is the only one that a sweep's report reads. Attempts are predicted to take as long as they did
there: where the measured throughput stays below the prediction, something other than conflicts slows
them down.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from loadtest.errors import InputError
from loadtest.forecast import Interval, Workload, forecast
from reports.basis import Basis, basis_of
from reports.sweep.folder import Point
from reports.sweep.study import GROWING, Curve, Place, Study, Values, setting

_ENOUGH_CONFLICTS = 30
_MOST_FORECASTS, _LEAST_PLACES = 100, 3
"""A forecast takes about a twentieth of a second; a page has so many, and a line at least so many."""
_MOST_ATTEMPTS = 2_000_000
"""A record with more than that would take too long to read for a line."""


@dataclass(frozen=True, slots=True)
class PredictedPlace:
    """What the model says of one value of the axis."""

    value: float
    figures: dict[str, Interval]
    """By the figure of `Measured` that it predicts."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A predicted curve, and the run that it was made from."""

    basis: str
    """That run's setting, as a sentence says it."""
    places: tuple[PredictedPlace, ...]


def predict_curves(study: Study) -> dict[int, Predicted]:
    """By the place of the curve in `study.curves`; curves that cannot be predicted are left out."""
    found: dict[int, Predicted] = {}
    if not study.numeric:
        return found
    each = max(_LEAST_PLACES, _MOST_FORECASTS // max(1, len(study.curves)))
    for panel in study.panel_values:
        basis, where = _basis(study, panel)
        if basis is None:
            continue
        for place, curve in enumerate(study.curves):
            if curve.panel == panel and curve.series.key_type in basis.key_types:
                try:
                    found[place] = Predicted(where, tuple(_places(study, curve, basis, each)))
                except InputError:
                    continue
    return found


def _basis(study: Study, panel: Values) -> tuple[Basis | None, str]:
    curves = [curve for curve in study.of_panel(panel) if curve.series.target is None]
    if not curves:
        return None, ""
    places = curves[0].places[:: GROWING.get(study.axis.name, 1)]
    fitting = [place for place in places if all(_readable(curve, place) for curve in curves)]
    rich = [place for place in fitting if all(_conflicts(curve, place) for curve in curves)]
    for place in (rich or fitting)[:1]:
        point: Point = place.points[0]
        try:
            return basis_of(study.folder / str(point.folder)), setting(study.axis, place.value)
        except InputError:
            break
    return None, ""


def _readable(curve: Curve, place: Place) -> bool:
    mine = curve.at(place.value)
    return mine is not None and 0 < mine.runs[0].attempts <= _MOST_ATTEMPTS


def _conflicts(curve: Curve, place: Place) -> bool:
    mine = curve.at(place.value)
    return mine is not None and mine.runs[0].conflicts >= _ENOUGH_CONFLICTS


def _places(study: Study, curve: Curve, basis: Basis, most: int) -> Iterator[PredictedPlace]:
    """The prediction at each of the curve's values, or at `most` of them, spread evenly."""
    last = len(curve.places) - 1
    steps = min(most - 1, last)
    chosen = dict.fromkeys(round(last * step / max(steps, 1)) for step in range(steps + 1))
    for place in (curve.places[number] for number in chosen):
        found = forecast(_workload(study, basis, curve.series.key_type, place.value))
        yield PredictedPlace(
            float(place.value),
            {
                "throughput_tps": found.goodput_tps,
                "conflict_rate": found.conflict_rate,
                "retry_rate": found.retry_rate,
            },
        )


def _workload(study: Study, basis: Basis, key_type: str, value: float) -> Workload:
    """The basis's own workload at this value of the axis; the panel's values are its own already."""
    match study.axis.name:
        case "users":
            return basis.workload(key_type, users=int(value), rate=basis.rate)
        case "rate":
            return basis.workload(key_type, rate=value)
        case "accounts":
            return basis.workload(key_type, accounts=int(value))
        case "think_time":
            return basis.workload(key_type, users=basis.users, think_s=value)
        case _:
            return basis.workload(key_type, retry=replace(basis.retry, max_attempts=int(value)))
