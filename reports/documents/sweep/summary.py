"""`sweep-summary.json`: what a sweep found under stable names, for CI and for other tools."""

import dataclasses
from typing import Any

from reports.documents.sweep.answer import answer
from reports.statistics.sweep.scalability import Fit, NoFit
from reports.statistics.sweep.study import Curve, Place, Study
from reports.verdicts.rules import attention, sweep_verdicts

FORMAT = 1
_FIGURES = (
    "throughput_tps", "conflict_rate", "retry_rate", "mean_ms", "p50_ms", "p99_ms", "cost", "power",
)  # fmt: skip
_NAMES = {"cost": "contention_cost", "power": "throughput_per_mean_ms"}


def to_summary(study: Study) -> dict[str, Any]:
    """The study under the names that docs/results-format.md promises."""
    words = answer(study, attention(study))
    sweep = study.sweep
    return {
        "format": FORMAT,
        "label": sweep.label,
        "answer": {**dataclasses.asdict(words), "attention": list(words.attention)},
        "simulated": study.simulated,
        "points": {
            "planned": len(sweep.points),
            "reported": len(study.figures),
            "failed": len(sweep.failed),
            "pending": len(sweep.pending),
        },
        "repeats": sweep.repeats,
        "axis": study.axis.name,
        "other_axes": [axis.name for axis in study.panels],
        "curves": [_curve(study, curve) for curve in study.curves],
        "verdicts": [dataclasses.asdict(verdict) for verdict in sweep_verdicts(study)],
    }


def _curve(study: Study, curve: Curve) -> dict[str, Any]:
    others = zip(study.panels, curve.panel, strict=True)
    marks = {
        "knee": curve.knee and dataclasses.asdict(curve.knee),
        "onset": curve.onset and dataclasses.asdict(curve.onset),
        "scalability": curve.law and _law(curve.law),
    }
    return {
        "key_type": curve.series.key_type,
        "target": curve.series.target,
        "at": {axis.name: value for axis, value in others},
        "places": [_place(place) for place in curve.places],
        **{name: value for name, value in marks.items() if value is not None},
    }


def _place(place: Place) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "value": place.value,
        "points": [point.number for point in place.points],
        "generator_was_limit": place.limited,
        "attempts": sum(run.attempts for run in place.runs),
        "conflicts": sum(run.conflicts for run in place.runs),
        "give_ups": sum(run.give_ups for run in place.runs),
    }
    for figure in _FIGURES:
        values = place.all(figure)
        summary[_NAMES.get(figure, figure)] = (
            {"median": place.middle(figure), "min": min(values), "max": max(values)} if values else None
        )
    return summary


def _law(law: Fit | NoFit) -> dict[str, Any]:
    if isinstance(law, NoFit):
        return {"fitted": False, "why": law.why}
    return {
        "fitted": True,
        "lambda_tps": dataclasses.asdict(law.lam),
        "sigma": dataclasses.asdict(law.sigma),
        "kappa": dataclasses.asdict(law.kappa),
        "misfit": law.misfit,
        "peak_users": dataclasses.asdict(law.peak) if law.peak else None,
    }
