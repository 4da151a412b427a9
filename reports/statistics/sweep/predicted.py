"""The predicted curve: what the model makes of one run of a panel at all its other loads.

It is calibrated by the panel's run at the lowest load: few users, many accounts, long pauses. Attempts
are predicted to take as long as they did there: where the measured throughput stays below, something
other than conflicts slows them down. Where that run had too few conflicts to show where its windows
lie, the lowest load with enough tells it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from loadtest.errors import InputError
from loadtest.prediction.forecast import forecast
from loadtest.prediction.workload import Interval, Workload
from reports.statistics.prediction.calibration import (
    FEW_CONFLICTS,
    Calibration,
    KeyCalibration,
    read_calibration,
)
from reports.statistics.sweep.study import GROWING, Curve, Place, Study, setting

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

    calibrated_at: str
    """That run's setting, as a sentence says it."""
    placed_by: str | None
    """The setting of the run that told where the windows lie, if that is another one."""
    places: tuple[PredictedPlace, ...]


def predict_curves(study: Study) -> dict[int, Predicted]:
    """By the place of the curve in `study.curves`; curves that cannot be predicted are left out."""
    predicted: dict[int, Predicted] = {}
    if not study.numeric:
        return predicted
    each = max(_LEAST_PLACES, _MOST_FORECASTS // max(1, len(study.curves)))
    for panel in study.panel_values:
        curves = [curve for curve in study.of_panel(panel) if curve.series.target is None]
        calmest = _calmest(study, curves)
        if calmest is None:
            continue
        telling = {curve.series.key_type: _telling(study, curve, calmest) for curve in curves}
        try:
            calibration = _calibration(study, calmest, telling)
        except InputError:
            continue
        for number, curve in enumerate(study.curves):
            key_type = curve.series.key_type
            if curve not in curves or key_type not in calibration.key_types:
                continue
            place = telling[key_type]
            with suppress(InputError):
                predicted[number] = Predicted(
                    setting(study.axis, calmest.value),
                    None if place is None else setting(study.axis, place.value),
                    tuple(_places(study, curve, calibration, each)),
                )
    return predicted


def _calmest(study: Study, curves: Sequence[Curve]) -> Place | None:
    """The place at the lowest load of which every curve has a record that can be read."""
    growing = _growing(study, curves[0]) if curves else ()
    return next((p for p in growing if all(_readable(c.at(p.value)) for c in curves)), None)


def _telling(study: Study, curve: Curve, calmest: Place) -> Place | None:
    """The place at the lowest load that shows where the curve's windows lie, unless `calmest` does."""
    for place in _growing(study, curve):
        if _readable(place) and place.runs[0].conflicts >= FEW_CONFLICTS:
            return None if place.value == calmest.value else place
    return None


def _growing(study: Study, curve: Curve) -> tuple[Place, ...]:
    """The curve's places from the lowest load on."""
    return curve.places[:: GROWING.get(study.axis.name, 1)]


def _readable(place: Place | None) -> bool:
    return place is not None and 0 < place.runs[0].attempts <= _MOST_ATTEMPTS


def _calibration(study: Study, calmest: Place, telling: Mapping[str, Place | None]) -> Calibration:
    """The run at the calmest place, its windows placed as the telling ones say."""

    def read(place: Place, like: Mapping[str, KeyCalibration] | None = None) -> Calibration:
        return read_calibration(study.folder / str(place.points[0].folder), like)

    places = {place.value: place for place in telling.values() if place is not None}
    runs = {value: read(place).key_types for value, place in places.items()}
    # Of a summary that is not of this record, the record does not know every key type.
    like = {
        key: runs[place.value][key]
        for key, place in telling.items()
        if place is not None and key in runs[place.value]
    }
    return read(calmest, like)


def _places(
    study: Study, curve: Curve, calibration: Calibration, most: int
) -> Iterator[PredictedPlace]:
    """The prediction at each of the curve's values, or at `most` of them, spread evenly."""
    last = len(curve.places) - 1
    steps = min(most - 1, last)
    chosen = dict.fromkeys(round(last * step / max(steps, 1)) for step in range(steps + 1))
    for place in (curve.places[number] for number in chosen):
        known = forecast(_workload(study, calibration, curve.series.key_type, place.value))
        figures = {
            "throughput_tps": known.goodput_tps,
            "conflict_rate": known.conflict_rate,
            "retry_rate": known.retry_rate,
        }
        yield PredictedPlace(float(place.value), figures)


def _workload(study: Study, calibration: Calibration, key_type: str, value: float) -> Workload:
    match study.axis.name:
        case "users":
            return calibration.workload(key_type, users=int(value), rate=calibration.rate)
        case "rate":
            return calibration.workload(key_type, rate=value)
        case "accounts":
            return calibration.workload(key_type, accounts=int(value))
        case "think_time":
            return calibration.workload(key_type, users=calibration.users, think_s=value)
        case _:
            retry = replace(calibration.retry, max_attempts=int(value))
            return calibration.workload(key_type, retry=retry)
