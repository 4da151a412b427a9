"""`summary.json`: the figures under stable names, for CI and for other tools."""

import dataclasses
from pathlib import Path
from typing import Any

from loadtest.record.run import Run
from reports.analysis.consistency import Consistency, Probes
from reports.analysis.figures import Figures
from reports.analysis.percentiles import Distribution
from reports.documents.run.answer import answer
from reports.statistics.model import Model, build_model
from reports.statistics.paired.blocks import METRICS, Comparison
from reports.statistics.service import Service, read_service, to_summary_part
from reports.verdicts.load import generator_check, schedule_kept
from reports.verdicts.rules import verdicts

FORMAT = 1


def to_summary(model: Model, service: Service | None = None) -> dict[str, Any]:
    """The model under the names that docs/results-format.md promises."""
    run = model.run
    check, words = generator_check(model), answer(model)
    late, scheduled, never = schedule_kept(model)
    return {
        "format": FORMAT,
        "label": run.label,
        "answer": {"headline": words.headline, "lede": words.lede},
        "interrupted": run.interrupted,
        "users": {"asked": run.config.users, "committed": model.committed_users},
        "warmup_s": model.warmup_s,
        "measured_s": model.measured_s,
        "blocks": model.blocks,
        "overall": _slice(model.overall),
        "key_types": {name: _slice(figures) for name, figures in model.key_types.items()},
        "targets": {name: _slice(figures) for name, figures in model.targets.items()},
        "scenarios": {name: _slice(figures) for name, figures in model.scenarios.items()},
        "targets_by_key_type": _nested(model),
        "comparisons": [{"target": c.target, **_comparison(c)} for c in model.comparisons],
        **_regions(model),
        **_consistency(model.consistency),
        "gaps": [dataclasses.asdict(gap) for gap in model.gaps],
        "errors_by_sqlstate": [
            {"outcome": outcome, "sqlstate": state, "attempts": attempts}
            for (outcome, state), attempts in model.sqlstates.items()
        ],
        "generator": {
            "was_limit": check.was_limit,
            "cpu_share_max": check.cpu_share,
            "loop_lag_p99_ms": check.lag_ms,
            "processes": len(run.generators),
        },
        "pacing": {
            "loop": "open" if run.open_loop else "closed",
            "rate": run.config.rate,
            "late": late if run.open_loop else None,
            "scheduled": scheduled if run.open_loop else None,
            "never_started": never if run.open_loop else None,
        },
        "invariant": {
            "holds": _holds(run),
            "checks": [i.model_dump() for i in run.invariant],
        },
        "verdicts": [dataclasses.asdict(verdict) for verdict in verdicts(model, service)],
    }


def _holds(run: Run) -> bool | None:
    """Whether every check holds; None where one could not be made, or none was."""
    answers = {check.holds for check in run.invariant}
    if False in answers:
        return False
    return True if answers == {True} else None


def _nested(model: Model) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    for (target, key_type), figures in model.by_target_and_key.items():
        values.setdefault(target, {})[key_type] = _slice(figures)
    return values


_AS_THEY_ARE = (
    "attempts", "transactions", "unfinished", "committed", "counted", "failed", "refused", "decided",
    "conflicts", "conflicts_by_outcome", "conflict_rate", "retried", "retry_rate", "retries_mean",
    "retries_max", "give_ups", "errors_by_outcome", "throughput_tps", "duration_s",
)  # fmt: skip
"""Figures that have the same name in the summary."""


def _slice(figures: Figures) -> dict[str, Any]:
    """A slice; what its targets cannot show is left out, so it is never taken for zero."""
    f = figures
    values: dict[str, Any] = {name: getattr(f, name) for name in _AS_THEY_ARE}
    values |= {
        "conflict_rate_interval": _ends(f.conflict_rate_interval),
        "latency_ms": _distribution(f.latency),
        "time_ms": _known(dataclasses.asdict(f.parts)) if f.parts else None,
    }
    if f.commit is not None:
        values["commit_ms"] = _distribution(f.commit)
    if f.predicted_low is not None:
        values["predicted_conflict_rate"] = {"low": f.predicted_low, "high": f.predicted_high}
    if f.remote is not None:
        remote = _known(dataclasses.asdict(f.remote))
        if f.remote.duration is not None:
            del remote["duration"]
            remote = {"duration_ms": _distribution(f.remote.duration), **remote}
        values["remote"] = remote
    if f.capacity is not None:
        values["capacity"] = _known(dataclasses.asdict(f.capacity))
    return values


def _ends(interval: tuple[float, float] | None) -> dict[str, float] | None:
    return None if interval is None else {"low": interval[0], "high": interval[1]}


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _regions(model: Model) -> dict[str, Any]:
    """What several targets have beside their slices; nothing where there is one target."""
    regions = model.regions
    if regions is None:
        return {}
    compared = [
        {**_comparison(c), "one_database": regions.one_database(c.base, c.other)}
        for c in regions.comparisons
    ]
    if (met := regions.attribution) is None:
        return {"target_comparisons": compared}
    numbers = {name: regions.codes[name] for name in model.targets}
    pairs = [
        {
            "failed": failed,
            "won": won,
            "conflicts": int(met.counts[i, j]),
            "expected_share": float(met.expected[i, j]),
        }
        for failed, i in numbers.items()
        for won, j in numbers.items()
        if met.asked[i] and met.asked[j] and regions.one_database(failed, won)
    ]
    matrix = {
        "known": int(met.counts.sum()),
        "unknown": int(met.unknown.sum()),
        "ambiguous": int(met.ambiguous.sum()),
        **({"sampled": met.sampled} if met.sampled < 1 else {}),
        "pairs": pairs,
    }
    return {"target_comparisons": compared, "conflict_matrix": matrix}


def _consistency(consistency: Consistency | None) -> dict[str, Any]:
    """What the consistency probes found; nothing where there were none."""
    if consistency is None:
        return {}
    pairs = [
        {"writer": writer, "reader": reader, **_probes(probes)}
        for (writer, reader), probes in consistency.pairs.items()
    ]
    return {"consistency": {**_probes(consistency.overall), "pairs": pairs}}


def _probes(probes: Probes) -> dict[str, Any]:
    """`made` is called `probes` here; how long the longest was stale is absent where none was."""
    values = _known(dataclasses.asdict(probes))
    values["read_ms"] = _distribution(probes.read_ms)
    return {"probes": values.pop("made"), **values}


def _distribution(distribution: Distribution) -> dict[str, Any]:
    """Its figures; their standard errors are for rounding and not among them."""
    values = dataclasses.asdict(distribution)
    del values["errors"]
    return values


def _comparison(comparison: Comparison) -> dict[str, Any]:
    metrics = {}
    for name in METRICS:
        values = dataclasses.asdict(comparison.of(name))
        del values["metric"], values["error"]
        metrics[name] = values
    return {
        "base": comparison.base,
        "other": comparison.other,
        "pairs": comparison.pairs,
        "confidence": 0.95,
        "unlike": [dataclasses.asdict(one) for one in comparison.apart],
        **metrics,
    }


def summarise(run_folder: Path) -> dict[str, Any]:
    """The figures of a run, as `summary.json` holds them; nothing is written.

    Raises:
        InputError: if the folder is not a run's, or a file in it is broken.
    """
    model = build_model(run_folder)
    service = read_service(run_folder, model)
    return {**to_summary(model, service), **to_summary_part(service)}
