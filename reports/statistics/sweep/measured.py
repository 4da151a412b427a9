"""The figures of one point, by key type, from its `summary.json`; no attempts are read."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.errors import InputError
from loadtest.record.files import read_json
from loadtest.record.run import read_run
from reports.statistics.sweep.cost import contention_cost


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
    decided: int
    """Attempts that committed or conflicted."""
    transactions: int
    """Those that ended."""
    counted: int
    """Those that committed or gave up, which alone have a latency."""
    refused: int
    """Those that the scenario's own rule refused; the rest failed."""
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
    def failed_share(self) -> float:
        """The share of transactions that failed."""
        failed = max(0, self.transactions - self.counted - self.refused)
        return failed / self.transactions if self.transactions else 0.0

    @property
    def refused_share(self) -> float:
        """The share of transactions that were refused."""
        return self.refused / self.transactions if self.transactions else 0.0

    @property
    def power(self) -> float | None:
        """Throughput divided by mean latency; 0 where transactions were tried and none was committed.

        None where none was tried, or the latency is not known.
        """
        if self.attempts and not self.committed:
            return 0.0
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
        InputError: if it is missing, is not one, or has figures that cannot be; `occbench report`
            writes it again.
    """
    path = folder / "summary.json"
    try:
        summary = read_json(path, "`occbench report` writes it again")
        return PointFigures(
            series=_series(summary),
            generator_was_limit=summary["generator"]["was_limit"],
            invariant_holds=summary["invariant"]["holds"],
            rate_kept=_kept(summary["pacing"]),
            interrupted=bool(summary["interrupted"]),
            simulated=_simulated(folder),
            has_report=(folder / "report.html").is_file(),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not a run's summary ({type(error).__name__}: {error}); `occbench report` "
            "writes it again"
        ) from error


def _series(summary: dict[str, Any]) -> dict[Series, Measured]:
    """Each key type; with several targets each on each of them, for a mixture is nobody's."""
    nested = summary["targets_by_key_type"] if len(summary["targets"]) > 1 else {}
    slices = nested or {None: summary["key_types"]}
    found = {
        Series(target, key): _measured(one)
        for target, of_target in slices.items()
        for key, one in of_target.items()
    }
    if not found:
        raise ValueError("it has no key types")
    return found


def _amount(of: dict[str, Any], name: str, most: float = math.inf) -> float:
    """A figure that is finite, not below zero and not above `most`; else ValueError."""
    value = of[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r} and no number")
    if not (0 <= value <= most and math.isfinite(value)):
        limits = "below zero or without end" if most == math.inf else f"not between 0 and {most:g}"
        raise ValueError(f"{name} is {value:g}, {limits}")
    return value


def _known(of: dict[str, Any], name: str, most: float = math.inf) -> float | None:
    """The same, of a figure that need not be known."""
    return None if of.get(name) is None else _amount(of, name, most)


def _count(of: dict[str, Any], name: str, most: float = math.inf) -> int:
    return int(_amount(of, name, most))


def _measured(one: dict[str, Any]) -> Measured:
    latency = one["latency_ms"]
    band = one.get("predicted_conflict_rate") or {}
    attempts, transactions = _count(one, "attempts"), _count(one, "transactions")
    return Measured(
        attempts=attempts,
        committed=_count(one, "committed"),
        conflicts=_count(one, "conflicts", attempts),
        decided=_count(one, "decided", attempts) if "decided" in one else attempts,
        transactions=transactions,
        counted=_count(one, "counted", transactions) if "counted" in one else transactions,
        refused=_count(one, "refused", transactions) if "refused" in one else 0,
        retried=_count(one, "retried", transactions),
        give_ups=_count(one, "give_ups", transactions),
        throughput_tps=_known(one, "throughput_tps") or 0.0,
        conflict_rate=_known(one, "conflict_rate", 1),
        retry_rate=_known(one, "retry_rate", 1),
        mean_ms=_known(latency, "mean"),
        p50_ms=_known(latency, "p50"),
        p99_ms=_known(latency, "p99"),
        predicted_low=_known(band, "low", 1),
        predicted_high=_known(band, "high", 1),
        cost=_cost(one),
    )


def _cost(one: dict[str, Any]) -> float | None:
    times = one["time_ms"]
    if times is None or one["conflict_rate"] is None:
        return None
    return contention_cost(
        conflict_rate=one["conflict_rate"],
        statements_ms=_amount(times, "statements"),
        commit_ms=_known(times, "commit") or 0.0,
        backoff_ms=_amount(times, "backoff"),
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
        return read_run(folder).simulated
    except InputError:
        return False
