"""Summaries of runs for the tests of gates, and the gates of one condition on them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.documents.run.summary import summarise
from reports.gates.conditions import parse_condition
from reports.gates.judge import Gate, Judged, Subject, judge
from tests.run_folders import FakeRun, write_fake_run

_MARKS = ("mean", "p50", "p90", "p95", "p99", "p999", "max")


def slice_of(p99: float | None = 40.0, tps: float | None = 500.0, **more: Any) -> dict[str, Any]:
    times = {"samples": 5000, **dict.fromkeys(_MARKS, 10.0), "p99": p99}
    return {
        "attempts": 5100, "transactions": 5000, "committed": 4990, "give_ups": 10, "conflicts": 100,
        "conflict_rate": 0.02, "retry_rate": 0.019, "retries_mean": 0.02, "retries_max": 3,
        "errors_by_outcome": {}, "throughput_tps": tps, "latency_ms": times, "commit_ms": times, **more,
    }  # fmt: skip


def summary_of(
    keys: Mapping[str, dict[str, Any]],
    targets: Mapping[str, Mapping[str, dict[str, Any]]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "format": 1, "answer": {"headline": "A headline.", "lede": "A lede."}, "measured_s": 10.0,
        "overall": slice_of(p99=1.0), "key_types": dict(keys),
        "targets": {name: slice_of() for name in targets or ["embedded"]},
        "targets_by_key_type": {k: dict(v) for k, v in (targets or {}).items()},
        "invariant": {"holds": True}, "verdicts": [], **more,
    }  # fmt: skip


def judged(text: str, subject: Subject | dict[str, Any], base: dict[str, Any] | None = None) -> Judged:
    if isinstance(subject, dict):
        subject = Subject("a run", subject, base)
    return judge([parse_condition(text)], subject)


def only(text: str, subject: Subject | dict[str, Any], base: dict[str, Any] | None = None) -> Gate:
    (gate,) = judged(text, subject, base).gates
    return gate


TWO_KEYS = summary_of({"int": slice_of(p99=40), "uuid": slice_of(p99=60)})


REGIONS = summary_of(
    {"int": slice_of(p99=1), "uuid": slice_of(p99=1)},
    {
        "east": {"int": slice_of(p99=10), "uuid": slice_of(p99=20)},
        "west": {"int": slice_of(p99=30), "uuid": slice_of(p99=40)},
    },
)


def base_of(folder: Path, fake: FakeRun) -> Path:
    write_fake_run(folder, fake)
    (folder / "summary.json").write_text(json.dumps(summarise(folder)))
    return folder
