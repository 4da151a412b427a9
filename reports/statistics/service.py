"""What the service itself counted and what the tool did: the sums, and what they cost.

`service.json` has figures by whole minutes, which begin before the measured time and end after it.
Nothing is scaled to make up for that. Instead the tool's own attempts are counted once more, in the
very same minutes and with the warm-up, so that equal things are compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, computed_field

from loadtest.record.outcome import Outcome
from loadtest.record.pricing import DPU_PRICE, a_million, dsql_cost
from loadtest.record.service import Cluster
from loadtest.record.service import read_service as read_file
from reports.analysis import percentiles
from reports.analysis.ranks import Ranks, chosen_of
from reports.analysis.reading.attempts import Attempts, open_attempts
from reports.statistics.model import Model

COMMIT_LATENCY = "CommitLatency"
DPU_PARTS = {
    "ComputeDPU": "compute",
    "ReadDPU": "read",
    "WriteDPU": "write",
    "MultiRegionWriteDPU": "multi_region_write",
    "TotalDPU": "total",
}
"""Metric's name → its name in `summary.json`."""
SUMS = {
    "TotalTransactions": "total_transactions",
    "ReadOnlyTransactions": "read_only_transactions",
    "OccConflicts": "occ_conflicts",
    "QueryTimeouts": "query_timeouts",
    "BytesRead": "bytes_read",
    "BytesWritten": "bytes_written",
    "ComputeTime": "compute_time_ms",
}
_HERE = "TotalTransactions"
"""What every minute with any work has: a minute without it has not arrived."""

_MINUTE_NS = 60_000_000_000


class _Part(BaseModel):
    """A part of the key `service` of `summary.json`."""

    model_config = ConfigDict(frozen=True)


class Own(_Part):
    """What the tool counted of a cluster's targets in some time."""

    attempts: int
    """Those that reached the database."""
    committed: int
    conflicts: int
    commit_p50_ms: float | None = None


class Counted(_Part):
    """One cluster: what it counted in the minutes that have arrived, and what the tool did."""

    cluster: str
    region: str
    targets: tuple[str, ...]
    complete: bool
    minutes: int = Field(serialization_alias="minutes_here")
    """How many minutes have arrived."""
    charged_minutes: int = Field(serialization_alias="minutes_charged")
    """How many minutes' DPU have arrived; the cost is of these."""
    measured: Own
    """By the tool, in the measured time."""
    same: Own = Field(serialization_alias="same_minutes")
    """By the tool, in the minutes that have arrived, warm-up included."""
    sums: dict[str, float] = Field(exclude=True)
    """By the service; what it did not say is not there."""
    commit_p50_ms: tuple[float, float] | None = Field(exclude=True)
    """The lowest and the highest of its minutes' medians: a median of all cannot be had from them."""
    dpu: dict[str, float]
    cost_usd: float | None
    committed: int = Field(exclude=True)
    """By the tool, in the minutes that the cost is of."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def counted(self) -> dict[str, Any]:
        """All that the service counted."""
        if self.commit_p50_ms is None:
            return dict(self.sums)
        low, high = self.commit_p50_ms
        return {**self.sums, "commit_p50_ms": {"low": low, "high": high}}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def cost_usd_a_million(self) -> float | None:
        """Of a million committed transactions."""
        return a_million(self.cost_usd, self.committed) if self.cost_usd else self.cost_usd


@dataclass(frozen=True, slots=True)
class Service:
    """What all clusters of a run counted."""

    begin: datetime
    end: datetime
    minutes: int
    """Minutes that the measured time touches."""
    inside: int
    """How many of them lie wholly inside it."""
    window_s: float
    """The measured time."""
    fetched: datetime
    dpu_price: float
    clusters: tuple[Counted, ...]
    silent: tuple[str, ...]
    """Clusters of which nothing has arrived."""

    @property
    def complete(self) -> bool:
        """Whether fetching again would find nothing new."""
        return not self.silent and all(c.complete for c in self.clusters)

    @property
    def cost_usd(self) -> float | None:
        """Of all clusters; None while the figures of one have not arrived."""
        costs = [c.cost_usd for c in self.clusters if c.cost_usd is not None]
        return sum(costs) if len(costs) == len(self.clusters) and not self.silent else None

    @property
    def cost_usd_a_million(self) -> float | None:
        """Of a million committed transactions."""
        if self.cost_usd is None:
            return None
        return a_million(self.cost_usd, sum(c.committed for c in self.clusters))


def read_service(folder: Path, model: Model, dpu_price: float | None = None) -> Service | None:
    """What `service.json` says of a run; None where there is none, or nothing in it.

    `dpu_price` is USD a million DPU; without it that of the run's options holds.

    Raises:
        InputError: if the file is broken.
    """
    run = model.run
    if run.measured_from_ns is None or run.measured_until_ns is None:
        return None
    file = read_file(folder)
    if file is None:
        return None
    arrived = [one for one in file.clusters if _HERE in one.metrics]
    if not arrived:
        return None
    if dpu_price is None:
        dpu_price = DPU_PRICE if run.config.dpu_price is None else run.config.dpu_price
    first = run.measured_from_ns // _MINUTE_NS
    last = -(-run.measured_until_ns // _MINUTE_NS)
    inside = run.measured_until_ns // _MINUTE_NS - -(-run.measured_from_ns // _MINUTE_NS)
    with open_attempts(folder, run, quiet=True, keep=False) as attempts:
        own = _OwnMinutes(attempts, first, last)
        clusters = tuple(_counted(one, model, own, dpu_price) for one in arrived)
    return Service(
        begin=datetime.fromtimestamp(first * 60, UTC),
        end=datetime.fromtimestamp(last * 60, UTC),
        minutes=last - first,
        inside=max(0, inside),
        window_s=(run.measured_until_ns - run.measured_from_ns) / 1e9,
        fetched=file.fetched,
        dpu_price=dpu_price,
        clusters=clusters,
        silent=tuple(one.cluster for one in file.clusters if _HERE not in one.metrics),
    )


def _counted(one: Cluster, model: Model, own: "_OwnMinutes", dpu_price: float) -> Counted:
    points = {
        name: {int(at.timestamp()) // 60: value for at, value in metric.points}
        for name, metric in one.metrics.items()
    }
    here = points[_HERE]
    slices = [model.targets[name] for name in one.targets if name in model.targets]
    latencies = [value for at, value in points.get(COMMIT_LATENCY, {}).items() if at in here]
    dpu = {key: sum(points[name].values()) for name, key in DPU_PARTS.items() if name in points}
    charged = points.get("TotalDPU", {})
    return Counted(
        cluster=one.cluster,
        region=one.region,
        targets=one.targets,
        complete=one.complete,
        minutes=len(here),
        measured=Own(
            attempts=sum(f.attempts - f.outcomes.get(Outcome.CONNECT_FAILED, 0) for f in slices),
            committed=sum(f.committed for f in slices),
            conflicts=sum(f.conflicts for f in slices),
            commit_p50_ms=slices[0].commit.p50 if len(slices) == 1 and slices[0].commit else None,
        ),
        same=own.of(one.targets, here),
        sums={
            key: sum(value for at, value in points[name].items() if at in here)
            for name, key in SUMS.items()
            if name in points
        },
        commit_p50_ms=(min(latencies), max(latencies)) if latencies else None,
        dpu=dpu,
        charged_minutes=len(charged),
        cost_usd=dsql_cost(dpu["total"], dpu_price) if charged else None,
        committed=own.of(one.targets, charged).committed,
    )


class _OwnMinutes:
    """The tool's attempts by target and the minute in which they ended, warm-up included."""

    def __init__(self, attempts: Attempts, first: int, last: int) -> None:
        source = (
            f"(SELECT *, end_ns // {_MINUTE_NS} AS minute FROM recorded "
            f"WHERE end_ns >= {first * _MINUTE_NS} AND end_ns < {last * _MINUTE_NS})"
        )
        self._counts = attempts.frame(
            f"""
            SELECT target, minute, count(*) FILTER (committed) AS committed,
                count(*) FILTER (outcome <> '{Outcome.CONNECT_FAILED}') AS attempts,
                count(*) FILTER (conflicted) AS conflicts
            FROM {source} GROUP BY ALL
            """
        )
        self._commits = Ranks(
            attempts, f"{source} WHERE commit_ns > 0", "commit_ns", ("target", "minute")
        )

    def of(self, targets: Iterable[str], minutes: Iterable[int]) -> Own:
        """What was counted of these targets in these minutes."""
        chosen = {"target": list(targets), "minute": list(minutes)}
        sums = self._counts[chosen_of(self._counts, chosen)].sum(numeric_only=True)
        groups = {"": self._commits.where(chosen)}
        commits = self._commits.pick(groups, percentiles.ranks_described)[""]
        counts = {name: int(sums[name]) for name in ("attempts", "committed", "conflicts")}
        return Own(**counts, commit_p50_ms=percentiles.describe(commits).p50)


def to_summary_part(service: Service | None) -> dict[str, Any]:
    """The key `service` of `summary.json`; nothing at all where nothing was counted."""
    if service is None:
        return {}
    costs = {"cost_usd": service.cost_usd, "cost_usd_a_million": service.cost_usd_a_million}
    clusters = (
        one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in service.clusters
    )
    return {
        "service": {
            "complete": service.complete,
            "fetched": f"{service.fetched:%Y-%m-%dT%H:%M:%SZ}",
            "from": f"{service.begin:%Y-%m-%dT%H:%MZ}",
            "until": f"{service.end:%Y-%m-%dT%H:%MZ}",
            "minutes": service.minutes,
            "minutes_inside": service.inside,
            "measured_s": service.window_s,
            "dpu_price": service.dpu_price,
            **{name: value for name, value in costs.items() if value is not None},
            "clusters": list(clusters),
        }
    }
