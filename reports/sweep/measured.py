"""The figures of one point, by key type, from its `summary.json`; no attempts are read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.errors import InputError
from reports.sweep.cost import contention_cost


@dataclass(frozen=True, slots=True)
class Series:
    """What a line of a chart is of: a key type, on one of several targets (None where there is one)."""

    target: str | None
    key_type: str

    @property
    def name(self) -> str:
        """What a reader calls it."""
        return self.key_type if self.target is None else f"{self.target}, {self.key_type}"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one series in one run: rates are shares from 0 to 1, times milliseconds.

    None means not known: nothing was counted, or too few samples.
    """

    attempts: int
    committed: int
    conflicts: int
    transactions: int
    """Those that ended."""
    retried: int
    give_ups: int
    throughput_tps: float
    conflict_rate: float | None
    retry_rate: float | None
    mean_ms: float | None
    p50_ms: float | None
    p99_ms: float | None
    predicted_low: float | None
    predicted_high: float | None
    cost: float | None
    """See `cost.contention_cost`."""

    @property
    def power(self) -> float | None:
        """Throughput divided by mean latency; None where nothing was committed."""
        return self.throughput_tps / self.mean_ms if self.mean_ms and self.throughput_tps else None


@dataclass(frozen=True, slots=True)
class PointFigures:
    """What the sweep's page needs of one point's `summary.json`."""

    series: dict[Series, Measured]
    generator_was_limit: bool | None
    invariant_holds: bool | None
    rate_kept: bool
    """False where an open loop could not start what was due."""
    interrupted: bool
    simulated: bool
    has_report: bool


_LATE_ALLOWED = 0.01
"""As docs/results-format.md says of `pacing`."""


def read_point(folder: Path) -> PointFigures:
    """Read a run's `summary.json`.

    Raises:
        InputError: if it is missing or is not one; `occbench report` writes it again.
    """
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        return PointFigures(
            series=_series(summary),
            generator_was_limit=summary["generator"]["was_limit"],
            invariant_holds=summary["invariant"]["holds"],
            rate_kept=_kept(summary["pacing"]),
            interrupted=bool(summary["interrupted"]),
            simulated=_simulated(folder),
            has_report=(folder / "report.html").is_file(),
        )
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; `occbench report` writes it"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not a run's summary ({type(error).__name__}: {error}); `occbench report` "
            "writes it again"
        ) from error


def _series(summary: dict[str, Any]) -> dict[Series, Measured]:
    """Each key type; with several targets each on each of them, for a mixture is nobody's."""
    nested = summary["targets_by_key_type"] if len(summary["targets"]) > 1 else {}
    if not nested:
        return {Series(None, key): _measured(one) for key, one in summary["key_types"].items()}
    return {
        Series(target, key): _measured(one)
        for target, of_target in nested.items()
        for key, one in of_target.items()
    }


def _measured(one: dict[str, Any]) -> Measured:
    latency = one["latency_ms"]
    band = one.get("predicted_conflict_rate") or {}
    return Measured(
        attempts=one["attempts"],
        committed=one["committed"],
        conflicts=one["conflicts"],
        transactions=one["transactions"],
        retried=one["retried"],
        give_ups=one["give_ups"],
        throughput_tps=one["throughput_tps"] or 0.0,
        conflict_rate=one["conflict_rate"],
        retry_rate=one["retry_rate"],
        mean_ms=latency["mean"],
        p50_ms=latency["p50"],
        p99_ms=latency["p99"],
        predicted_low=band.get("low"),
        predicted_high=band.get("high"),
        cost=_cost(one),
    )


def _cost(one: dict[str, Any]) -> float | None:
    times = one["time_ms"]
    if times is None or one["conflict_rate"] is None:
        return None
    return contention_cost(
        conflict_rate=one["conflict_rate"],
        statements_ms=times["statements"],
        commit_ms=times.get("commit", 0.0),
        backoff_ms=times["backoff"],
        other_ms=max(0.0, times["other"]),
    )


def _kept(pacing: dict[str, Any]) -> bool:
    """Whether an open loop started what was due, at most 1 % of it late; True of a closed loop."""
    if pacing["loop"] != "open" or not pacing["scheduled"]:
        return True
    missed = (pacing["late"] or 0) + (pacing["never_started"] or 0)
    return bool(missed <= _LATE_ALLOWED * pacing["scheduled"])


def _simulated(folder: Path) -> bool:
    """`run.json` says so; a run that does not is taken for a real one."""
    try:
        return bool(json.loads((folder / "run.json").read_text(encoding="utf-8")).get("simulated"))
    except (OSError, ValueError, AttributeError):
        return False
