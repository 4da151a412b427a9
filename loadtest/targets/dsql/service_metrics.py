"""What Aurora DSQL itself counted during a run: from CloudWatch into the run's folder.

CloudWatch counts by the minute and lags by some. What is there is fetched when a run ends, and the rest
when it is asked for again; what was fetched once is never lost by fetching again. `service.json` keeps
the figures as they came, minute by minute; the report does the sums.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.record import service
from loadtest.record.run import Run, Target, read_run
from loadtest.record.service import SERVICE_FILE, ServiceFile, read_service, write_service
from loadtest.targets.registry import parse_target

NAMESPACE = "AWS/AuroraDSQL"
PERIOD_S = 60

METRICS = {
    "TotalTransactions": ("Sum", "Count"),
    "ReadOnlyTransactions": ("Sum", "Count"),
    "OccConflicts": ("Sum", "Count"),
    "QueryTimeouts": ("Sum", "Count"),
    "CommitLatency": ("p50", "Milliseconds"),
    "BytesRead": ("Sum", "Bytes"),
    "BytesWritten": ("Sum", "Bytes"),
    "ComputeTime": ("Sum", "Milliseconds"),
    "TotalDPU": ("Sum", "DPU"),
    "ComputeDPU": ("Sum", "DPU"),
    "ReadDPU": ("Sum", "DPU"),
    "WriteDPU": ("Sum", "DPU"),
    "MultiRegionWriteDPU": ("Sum", "DPU"),
}
"""The service's figures as AWS's user guide lists them: statistic and unit."""

_ALWAYS = ("TotalTransactions", "TotalDPU")
"""What every minute with any work has; the others may be missing where there is nothing to count."""
_SETTLED_S = 300
"""A minute's figures may still grow for some minutes after it."""
_FINAL_S = 3600
"""What has not come by then does not come."""
_KEPT_S = 15 * 86_400
"""CloudWatch keeps figures by the minute for 15 days."""
_PATIENCE_S, _AGAIN_S = 6.0, 3.0
# A machine that reaches the database may not reach CloudWatch: that must not take minutes.
_CLIENT_OPTIONS: dict[str, Any] = {"attempts": 3, "connect_timeout": 5, "read_timeout": 20}

_HOST = re.compile(r"([a-z0-9]{26})\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws")

Points = dict[str, dict[int, float]]
"""Metric's name → begin of a minute in seconds since 1970 → figure."""


class MeteredCluster(NamedTuple):
    """A cluster that a run worked on."""

    cluster: str
    region: str
    profile: str | None

    @property
    def key(self) -> tuple[str, str]:
        """What figures are kept by: the same cluster in two Regions counts twice."""
        return self.cluster, self.region


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a run CloudWatch had."""

    minutes: int
    """Minutes that the measured time touches."""
    there: int
    """How many of them CloudWatch has figures of, for every cluster."""
    complete: bool
    """Whether asking again would find nothing new."""

    def __str__(self) -> str:
        if not self.there:
            return "CloudWatch has no figures of this run yet, it lags by minutes"
        has = f"CloudWatch has figures of {self.there} of {self.minutes} minutes"
        return has if self.complete else f"{has}, and they may still change"


def clusters_of(run: Run) -> dict[MeteredCluster, tuple[str, ...]]:
    """The Aurora DSQL clusters that a run worked on, each with its targets' names."""
    clusters: dict[MeteredCluster, tuple[str, ...]] = {}
    for target in run.targets:
        cluster = _cluster_of(target)
        if cluster is not None:
            clusters[cluster] = (*clusters.get(cluster, ()), target.name)
    return clusters


def counted_elsewhere(folder: Path) -> bool:
    """Whether a run was on something that counts by itself; False where the folder does not say."""
    try:
        return bool(clusters_of(read_run(folder)))
    except InputError:
        return False


def _cluster_of(target: Target) -> MeteredCluster | None:
    try:
        spec = parse_target(target.url or "")
    except OccbenchError:
        # Written by another version, or by hand; not a target that figures can be had of.
        return None
    address = urlsplit(spec.url).hostname or ""
    region, profile = spec.options.get("region"), spec.options.get("profile")
    if spec.family == "dsql-cluster":
        return MeteredCluster(address, region, profile) if region else None
    # What an endpoint is called begins with its cluster's identifier.
    named = _HOST.fullmatch(target.endpoint or address) if spec.family == "dsql" else None
    return MeteredCluster(named[1], target.region or region or named[2], profile) if named else None


def minutes_of(from_ns: int, until_ns: int) -> range:
    """The begins of all minutes that a time touches, in seconds since 1970."""
    minute_ns = PERIOD_S * 1_000_000_000
    first, last = from_ns // minute_ns, -(-until_ns // minute_ns)
    return range(first * PERIOD_S, max(last, first + 1) * PERIOD_S, PERIOD_S)


def after_run(folder: Path) -> str | None:
    """Fetch what is there already; returns a line for the user where that is not all.

    Nothing that goes wrong here is the run's fault, so nothing is raised for it.
    """
    later = f"`occbench report --refresh {folder}` fetches them later"
    try:
        coverage = fetch(folder, patience_s=_PATIENCE_S)
    except OccbenchError as error:
        return f"{error}; the run itself is complete; {later}"
    except KeyboardInterrupt:
        return f"CloudWatch was not waited for; {later}"
    return None if coverage is None or coverage.complete else f"{coverage}; {later}"


def refresh(folder: Path) -> str:
    """Fetch what there is now; returns how much that is, for the user.

    Raises InputError where the folder is not a run's, TargetError where CloudWatch cannot be asked.
    """
    coverage = fetch(folder)
    return str(coverage or "there is nothing to fetch, for it measured nothing on Aurora DSQL")


def fetch(folder: Path, patience_s: float = 0.0) -> Coverage | None:
    """Ask CloudWatch for the minutes of a run, and write `service.json`; None without Aurora DSQL.

    With patience it is asked again until every minute is there, or the patience is over.

    Raises InputError where the folder is not a run's, TargetError where CloudWatch cannot be asked.
    """
    run = read_run(folder)
    clusters = clusters_of(run)
    began, ended = run.measured_from_ns, run.measured_until_ns
    if not clusters or began is None or ended is None or ended <= began:
        return None
    minutes = minutes_of(began, ended)
    if time() - minutes.stop > _KEPT_S:
        raise TargetError(
            f"{folder}: CloudWatch keeps figures by the minute for 15 days, and this run is older"
        )
    known = {**{one.key: {} for one in clusters}, **_known(folder)}
    deadline = monotonic() + patience_s
    while True:
        failed: dict[tuple[str, str], str] = {}
        for one in clusters:
            try:
                _ask(one, minutes, known[one.key])
            except TargetError as error:
                # What the other clusters say is kept.
                failed[one.key] = str(error)
        if len(failed) < len(clusters):
            _write(folder, clusters, known, minutes, failed)
        if failed:
            raise TargetError("; ".join(failed.values()))
        there = [known[one.key] for one in clusters]
        coverage = Coverage(
            len(minutes),
            sum(all(minute in points.get(_ALWAYS[0], {}) for points in there) for minute in minutes),
            all(_complete(points, minutes) for points in there),
        )
        if coverage.there == coverage.minutes or monotonic() >= deadline:
            return coverage
        sleep(_AGAIN_S)


def _complete(points: Points, minutes: range) -> bool:
    """Whether asking again would find nothing new."""
    age = time() - minutes.stop
    return age >= _FINAL_S or (
        age >= _SETTLED_S
        and all(minute in points.get(name, {}) for name in _ALWAYS for minute in minutes)
    )


def _ask(one: MeteredCluster, minutes: range, points: Points) -> None:
    """Add what CloudWatch has of a cluster's minutes; raises TargetError with cause and remedy."""
    # Imported here: boto3 must not be imported before gevent has patched the standard library.
    from loadtest.targets.aws import clients, errors

    dimensions = [{"Name": "ClusterId", "Value": one.cluster}]
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions},
                "Period": PERIOD_S,
                "Stat": statistic,
            },
        }
        for number, (name, (statistic, _)) in enumerate(METRICS.items())
    ]
    try:
        client = clients.client("cloudwatch", one.region, profile=one.profile, **_CLIENT_OPTIONS)
        pages = client.get_paginator("get_metric_data").paginate(
            StartTime=_moment(minutes.start),
            EndTime=_moment(minutes.stop),
            ScanBy="TimestampAscending",
            MetricDataQueries=queries,
        )
        # A long answer has several results for one metric.
        for result in (result for page in pages for result in page["MetricDataResults"]):
            figures = points.setdefault(list(METRICS)[int(result["Id"][1:])], {})
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                figures[int(moment.timestamp())] = float(value)
    except errors.ERRORS as error:
        lead = f"what cluster {one.cluster} counted cannot be fetched from CloudWatch in {one.region}"
        raise errors.target_error(lead, error) from None


def _known(folder: Path) -> dict[tuple[str, str], Points]:
    """What was fetched before."""
    file = read_service(folder)
    return {
        (one.cluster, one.region): {
            name: {int(at.timestamp()): value for at, value in metric.points}
            for name, metric in one.metrics.items()
        }
        for one in (file.clusters if file else ())
    }


def _write(
    folder: Path,
    clusters: Mapping[MeteredCluster, Sequence[str]],
    known: Mapping[tuple[str, str], Points],
    minutes: range,
    failed: Collection[tuple[str, str]],
) -> None:
    """Write `service.json`; a cluster that could not be asked is not complete."""
    written = [
        service.Cluster(
            cluster=one.cluster,
            region=one.region,
            targets=tuple(targets),
            complete=one.key not in failed and _complete(known[one.key], minutes),
            metrics={
                name: service.Metric(
                    statistic=statistic,
                    unit=unit,
                    points=tuple((_moment(at), value) for at, value in sorted(points.items())),
                )
                for name, (statistic, unit) in METRICS.items()
                if (points := known[one.key].get(name))
            },
        )
        for one, targets in clusters.items()
    ]
    file = ServiceFile(
        source=f"CloudWatch {NAMESPACE}",
        period_s=PERIOD_S,
        begin=_moment(minutes.start),
        until=_moment(minutes.stop),
        fetched=_moment(time()),
        clusters=tuple(written),
    )
    try:
        write_service(folder, file)
    except OSError as error:
        raise OccbenchError(f"{folder / SERVICE_FILE} cannot be written: {error.strerror}") from None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
