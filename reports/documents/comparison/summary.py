"""A comparison as JSON, under the names that docs/results-format.md promises."""

import dataclasses
from typing import Any

from reports.documents.comparison import words
from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Effect
from reports.statistics.comparison.settings import Difference

FORMAT = 1


def to_summary(comparison: RunComparison) -> dict[str, Any]:
    """Everything that the comparison found."""
    return {
        "format": FORMAT,
        "answer": {"headline": words.headline(comparison), "lede": words.lede(comparison)},
        "base": [str(folder) for folder in comparison.bases],
        "new": [str(folder) for folder in comparison.news],
        "error_rate": comparison.error_rate,
        "allowed_differences": [_difference(d) for d in comparison.allowed],
        "circumstances": [_difference(d) for d in comparison.circumstances],
        "dropped": [{"key_type": s.key_type, "target": s.target} for s in comparison.dropped],
        "effects": [_effect(e) for e in comparison.effects],
        "notes": [dataclasses.asdict(note) for note in words.notes(comparison)],
    }


def _difference(difference: Difference) -> dict[str, str]:
    return {"setting": difference.setting.name, "base": difference.base, "new": difference.new}


def _effect(e: Effect) -> dict[str, Any]:
    return {
        "key_type": e.slice.key_type,
        "target": e.slice.target,
        "metric": e.metric.key,
        "compared_as": "difference" if e.metric.kind == "share" else "ratio",
        "base": e.base,
        "new": e.new,
        "change": e.change,
        "low": e.low,
        "high": e.high,
        "verdict": str(e.verdict),
        "between_runs": e.between,
        "one_run_sd": e.scatter,
        "found_from": e.found_from,
    }
