"""What each chart of a sweep says, in a sentence or two made from its figures."""

from collections.abc import Mapping, Sequence

from reports.statistics.sweep.curve_text import MOST_CURVES, curve_name, knees_text, onset_phrase, tps
from reports.statistics.sweep.predicted import Predicted
from reports.statistics.sweep.study import Curve, Study, setting
from reports.text.rounding import about, milliseconds


def of_figure(study: Study, figure: str, predicted: Mapping[int, Predicted]) -> str:
    """What the chart of this figure of `Measured` shows."""
    known = {
        number: curve
        for number, curve in enumerate(study.curves)
        if any(place.middle(figure) is not None for place in curve.places)
    }
    curves = list(known.values())
    sentences = [extremes(study, figure, curves)]
    if figure == "throughput_tps":
        sentences.append(knees_text(study, curves))
    if figure == "cost" and len(curves) <= MOST_CURVES:
        sentences += [_onset(study, curve) for curve in curves]
    if figure in ("throughput_tps", "conflict_rate", "retry_rate"):
        sentences.append(_dotted([predicted[number] for number in known if number in predicted]))
    return " ".join(filter(None, sentences))


def extremes(study: Study, figure: str, curves: Sequence[Curve]) -> str:
    """The least and the most of a figure, and where they are."""
    values = [
        (value, f"{curve_name(study, curve)} at {setting(study.axis, place.value)}")
        for curve in curves
        for place in curve.places
        if (value := place.middle(figure)) is not None
    ]
    ends = [pick(values, key=lambda one: one[0]) for pick in (min, max)]
    if len(values) == 1:
        return f"{_text(figure, ends[0][0])} ({ends[0][1]}), the only known point."
    return f"From {' to '.join(f'{_text(figure, value)} ({where})' for value, where in ends)}."


def _onset(study: Study, curve: Curve) -> str:
    if curve.onset is None:
        return ""
    values = [place.value for place in curve.places if place.all("cost")]
    verb, where = onset_phrase(study, curve.onset, (min(values), max(values)))
    return f"{curve_name(study, curve)}: {verb} {where}".rstrip() + "."


def _dotted(lines: Sequence[Predicted]) -> str:
    """What the predicted lines were made from."""
    if not lines:
        return ""
    settings = list(dict.fromkeys(line.calibrated_at for line in lines))
    where = settings[0] if len(settings) == 1 else "the calmest setting of each panel"
    return f"Dotted: predicted from the run at {where}, with attempts as long as there."


def _text(figure: str, value: float) -> str:
    if figure == "throughput_tps":
        return f"{tps(value)} /s"
    return milliseconds(value) if figure.endswith("_ms") else about(value)
