"""`summary.json`: the figures under stable names, for CI and for other tools."""

import dataclasses
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from reports.answer import answer
from reports.figures import Figures
from reports.model import Model
from reports.pairs import METRICS, Comparison
from reports.percentiles import Distribution
from reports.run_file import Run
from reports.verdicts import Verdict, generator_check, schedule_kept, verdicts

FORMAT = 1


def to_summary(model: Model) -> dict[str, Any]:
    """The model under the names that docs/results-format.md promises."""
    run = model.run
    check = generator_check(model)
    late, scheduled, never = schedule_kept(model)
    return {
        "format": FORMAT,
        "label": run.label,
        "answer": dataclasses.asdict(answer(model)),
        "interrupted": run.interrupted,
        "warmup_s": model.warmup_s,
        "measured_s": model.measured_s,
        "blocks": model.blocks,
        "overall": _slice(model.overall),
        "key_types": {name: _slice(figures) for name, figures in model.key_types.items()},
        "targets": {name: _slice(figures) for name, figures in model.targets.items()},
        "scenarios": {name: _slice(figures) for name, figures in model.scenarios.items()},
        "targets_by_key_type": _nested(model),
        "comparisons": [_comparison(comparison) for comparison in model.comparisons],
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
        "verdicts": [_verdict(verdict) for verdict in verdicts(model)],
    }


def _holds(run: Run) -> bool | None:
    """Whether every check holds; None where one could not be made, or none was."""
    found = {check.holds for check in run.invariant}
    if False in found:
        return False
    return True if found == {True} else None


def _nested(model: Model) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for (target, key_type), figures in model.by_target_and_key.items():
        found.setdefault(target, {})[key_type] = _slice(figures)
    return found


def _slice(figures: Figures) -> dict[str, Any]:
    f = figures
    return {
        "attempts": f.attempts,
        "transactions": f.transactions,
        "unfinished": f.unfinished,
        "committed": f.committed,
        "refused": f.refused,
        "conflicts": f.conflicts,
        "conflicts_by_outcome": f.conflicts_by_outcome,
        "conflict_rate": f.conflict_rate,
        "retried": f.retried,
        "retry_rate": f.retry_rate,
        "retries_mean": f.retries_mean,
        "retries_max": f.retries_max,
        "give_ups": f.give_ups,
        "errors_by_outcome": f.errors_by_outcome,
        "throughput_tps": f.throughput_tps,
        "latency_ms": _distribution(f.latency),
        "commit_ms": _distribution(f.commit),
        "time_ms": dataclasses.asdict(f.parts) if f.parts else None,
        "predicted_conflict_rate": {"low": f.predicted_low, "high": f.predicted_high},
        "duration_s": f.duration_s,
    }


def _distribution(distribution: Distribution) -> dict[str, Any]:
    return dataclasses.asdict(distribution)


def _comparison(comparison: Comparison) -> dict[str, Any]:
    metrics = {}
    for name in METRICS:
        values = dataclasses.asdict(comparison.of(name))
        del values["metric"]
        metrics[name] = values
    return {
        "base": comparison.base,
        "other": comparison.other,
        "pairs": comparison.pairs,
        "confidence": 0.95,
        **metrics,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"about": verdict.about, "state": verdict.state, "text": verdict.text}


def write_atomically(path: Path, content: str) -> None:
    """Replace a file as a whole, so that nobody ever reads half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        # mkstemp makes files for their owner only; a report is as public as its folder.
        umask = os.umask(0)
        os.umask(umask)
        temporary = Path(name)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_summary(folder: Path, summary: dict[str, Any]) -> Path:
    """Write `summary.json` into the run's folder."""
    path = folder / "summary.json"
    write_atomically(path, json.dumps(summary, indent=2, allow_nan=False) + "\n")
    return path
