"""The figures of one point, by key type, from its `summary.json`; no attempts are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from loadtest.errors import InputError
from loadtest.record.files import read_json
from loadtest.record.model import Count
from loadtest.record.run import read_run
from reports.analysis.shares import FELT
from reports.statistics.sweep.cost import contention_cost

_Amount = Annotated[float, Field(ge=0)]
_Share = Annotated[float, Field(ge=0, le=1)]
_PARTS = {
    "attempts": ("conflicts", "decided"),
    "transactions": ("counted", "refused", "retried", "give_ups"),
}


@dataclass(frozen=True, slots=True)
class Series:
    """What a line of a chart is of: a key type, on one of several targets (None where there is one)."""

    target: str | None
    key_type: str

    @property
    def name(self) -> str:
        """What a reader calls it."""
        return self.key_type if self.target is None else f"{self.target}, {self.key_type}"


class Measured(BaseModel):
    """The figures of one series in one run: rates are shares from 0 to 1, times milliseconds.

    None means not known: nothing was counted, or too few samples.
    """

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)

    attempts: Count
    committed: Count
    conflicts: Count
    decided: Count
    """Attempts that committed or conflicted."""
    transactions: Count
    """Those that ended."""
    counted: Count
    """Those that committed or gave up, which alone have a latency."""
    refused: Count
    """Those that the scenario's own rule refused; the rest failed."""
    retried: Count
    give_ups: Count
    throughput_tps: _Amount
    conflict_rate: _Share | None
    retry_rate: _Share | None
    mean_ms: _Amount | None
    p50_ms: _Amount | None
    p99_ms: _Amount | None
    predicted_low: _Share | None
    predicted_high: _Share | None
    time_ms: dict[str, _Amount | None] | None
    """Where the time of a transaction went."""

    @model_validator(mode="before")
    @classmethod
    def _of_slice(cls, one: dict[str, Any]) -> dict[str, Any]:
        latency, band = one["latency_ms"], one.get("predicted_conflict_rate") or {}
        return {
            **one,
            "throughput_tps": one.get("throughput_tps") or 0.0,
            **{f"{mark}_ms": latency.get(mark) for mark in ("mean", "p50", "p99")},
            **{f"predicted_{end}": band.get(end) for end in ("low", "high")},
        }

    @model_validator(mode="after")
    def _no_part_is_more_than_the_whole(self) -> "Measured":
        for whole, parts in _PARTS.items():
            for part in parts:
                if getattr(self, part) > getattr(self, whole):
                    raise ValueError(f"{part} is {getattr(self, part):,}, more than {whole}")
        return self

    @property
    def cost(self) -> float | None:
        """See `cost.contention_cost`."""
        if self.time_ms is None or self.conflict_rate is None:
            return None
        statements, commit, backoff, other = (
            self.time_ms.get(part) or 0.0 for part in ("statements", "commit", "backoff", "other")
        )
        return contention_cost(
            conflict_rate=self.conflict_rate,
            statements_ms=statements,
            commit_ms=commit,
            backoff_ms=backoff,
            other_ms=other,
        )

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
        why = f"{type(error).__name__}: {error}"
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            value = "missing" if first["type"] == "missing" else repr(first["input"])
            why = f"{where} is {value}: {first['msg']}" if where else first["msg"]
        raise InputError(
            f"{path} is not a run's summary ({why}); `occbench report` writes it again"
        ) from error


def _series(summary: dict[str, Any]) -> dict[Series, Measured]:
    """Each key type; with several targets each on each of them, for a mixture is of neither."""
    nested = summary["targets_by_key_type"] if len(summary["targets"]) > 1 else {}
    series = {
        Series(target, key): Measured.model_validate(one)
        for target, of_target in (nested or {None: summary["key_types"]}).items()
        for key, one in of_target.items()
    }
    if not series:
        raise ValueError("it has no key types")
    return series


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


def figures_of_point(folder: Path) -> str:
    """What a run with a report measured, in a few words, for the progress of a sweep."""
    summary = read_json(folder / "summary.json", "`occbench report` writes it again")
    overall = summary["overall"]
    parts = [f"{overall['throughput_tps']:,.0f} transactions/s"]
    if (conflict_rate := overall.get("conflict_rate")) is not None:
        parts.append(f"{100 * conflict_rate:.3g} % conflicts")
    if (p99 := overall.get("latency_ms", {}).get("p99")) is not None:
        parts.append(f"p99 {p99:,.3g} ms" if p99 < 100 else f"p99 {p99:,.0f} ms")
    ended = overall.get("transactions") or 0
    lost = 1 - overall.get("counted", ended) / ended if ended else 0.0
    if lost >= FELT:
        parts.append(f"{100 * lost:.3g} % FAILED or refused")
    if summary["invariant"]["holds"] is False:
        parts.append("the invariant is BROKEN")
    return ", ".join(parts)
