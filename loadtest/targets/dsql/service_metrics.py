"""What Aurora DSQL itself counted during a run: from CloudWatch into the run's folder.

CloudWatch counts by the minute and lags by some. What is there is fetched when a run ends, and the rest
when somebody asks again; what was fetched once is never lost by fetching again. `service.json` keeps
the figures as they came, minute by minute; the report does the sums.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.record import service
from loadtest.record.run import Run, Target, read_run
from loadtest.record.service import SERVICE_FILE, Cluster, ServiceFile, read_service, write_service
from loadtest.targets.registry import parse_target

NAMESPACE = "AWS/AuroraDSQL"
DIMENSION = "ClusterId"
PERIOD_S = 60


class Metric(NamedTuple):
    """One of the service's figures, as AWS's user guide lists them."""

    name: str
    statistic: str
    unit: str


METRICS = (
    Metric("TotalTransactions", "Sum", "Count"),
    Metric("ReadOnlyTransactions", "Sum", "Count"),
    Metric("OccConflicts", "Sum", "Count"),
    Metric("QueryTimeouts", "Sum", "Count"),
    Metric("CommitLatency", "p50", "Milliseconds"),
    Metric("BytesRead", "Sum", "Bytes"),
    Metric("BytesWritten", "Sum", "Bytes"),
    Metric("ComputeTime", "Sum", "Milliseconds"),
    Metric("TotalDPU", "Sum", "DPU"),
    Metric("ComputeDPU", "Sum", "DPU"),
    Metric("ReadDPU", "Sum", "DPU"),
    Metric("WriteDPU", "Sum", "DPU"),
    Metric("MultiRegionWriteDPU", "Sum", "DPU"),
)

_ALWAYS = ("TotalTransactions", "TotalDPU")
"""What every minute with any work has; the others may stay away where there is nothing to count."""
_SETTLED_S = 300
"""A minute's figures may still grow for some minutes after it."""
_FINAL_S = 3600
"""What has not come by then does not come."""
_KEPT_S = 15 * 86_400
"""CloudWatch keeps figures by the minute for 15 days."""
_PATIENCE_S = 6.0
_AGAIN_S = 3.0
# A machine that reaches the database may not reach CloudWatch: nobody is to wait minutes for that.
_ASKING: dict[str, Any] = {"attempts": 3, "connect_timeout": 5, "read_timeout": 20}

_HOST = re.compile(r"([a-z0-9]{26})\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws")

Points = dict[str, dict[int, float]]
"""Metric's name → begin of a minute in seconds since 1970 → figure."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A cluster that a run worked on, through one target or several."""

    cluster: str
    region: str
    profile: str | None
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fetched:
    """How much of a run CloudWatch had."""

    minutes: int
    """Minutes that the measured time touches."""
    there: int
    """How many of them CloudWatch has figures of, for every cluster."""
    complete: bool
    """Whether asking again would find nothing new."""


def clusters_of(run: Run) -> list[Counted]:
    """The Aurora DSQL clusters among a run's targets, as `run.json` describes them."""
    found: dict[tuple[str, str, str | None], list[str]] = {}
    for target in run.targets:
        where = _cluster_of(target)
        if where is not None:
            found.setdefault(where, []).append(target.name)
    return [Counted(*where, tuple(names)) for where, names in found.items()]


def counted_elsewhere(folder: Path) -> bool:
    """Whether a run was on something that counts by itself; False where nobody can tell."""
    try:
        return bool(clusters_of(read_run(folder)))
    except InputError:
        return False


def _cluster_of(target: Target) -> tuple[str, str, str | None] | None:
    """(cluster, Region, profile) of a target; None where it is not Aurora DSQL."""
    try:
        spec = parse_target(target.url or "")
    except OccbenchError:
        # Written by another version, or by hand; not a target that figures can be had of.
        return None
    if spec.family not in ("dsql", "dsql-cluster"):
        return None
    address = urlsplit(spec.url).hostname or ""
    region, profile = spec.options.get("region"), spec.options.get("profile")
    if spec.family == "dsql-cluster":
        return (address, region, profile) if region else None
    # What an endpoint is called begins with its cluster's identifier.
    named = _HOST.fullmatch(target.endpoint or address)
    return (named[1], target.region or region or named[2], profile) if named else None


def minutes_of(from_ns: int, until_ns: int) -> range:
    """The begins of all minutes that a time touches, in seconds since 1970."""
    minute_ns = PERIOD_S * 1_000_000_000
    first, last = from_ns // minute_ns, -(-until_ns // minute_ns)
    return range(first * PERIOD_S, max(last, first + 1) * PERIOD_S, PERIOD_S)


def after_run(folder: Path) -> str | None:
    """Fetch what is there already; returns a line for the user where that is not all.

    Nothing that goes wrong here is the run's fault, so nothing is raised for it.
    """
    try:
        fetched = fetch(folder, patience_s=_PATIENCE_S)
    except OccbenchError as error:
        return f"{error}; the run itself is complete; {_later(folder)}"
    except KeyboardInterrupt:
        return f"CloudWatch was not waited for; {_later(folder)}"
    if fetched is None or fetched.complete:
        return None
    return f"{_standing(fetched)}; {_later(folder)}"


def refresh(folder: Path) -> str:
    """Fetch what there is now; returns how much that is, for the user.

    Raises InputError where the folder is not a run's, TargetError where CloudWatch cannot be asked.
    """
    fetched = fetch(folder)
    if fetched is None:
        return "there is nothing to fetch, for it measured nothing on Aurora DSQL"
    return _standing(fetched)


def _standing(fetched: Fetched) -> str:
    if not fetched.there:
        return "CloudWatch has no figures of this run yet, it lags by minutes"
    has = f"CloudWatch has figures of {fetched.there} of {fetched.minutes} minutes"
    return has if fetched.complete else f"{has}, and they may still change"


def _later(folder: Path) -> str:
    return f"`occbench report --refresh {folder}` fetches them later"


def fetch(folder: Path, patience_s: float = 0.0) -> Fetched | None:
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
    known = _known(folder)
    deadline = monotonic() + patience_s
    while True:
        failed: dict[tuple[str, str], str] = {}
        for one in clusters:
            points = known.setdefault((one.cluster, one.region), {})
            try:
                for name, values in _ask(one, minutes).items():
                    points.setdefault(name, {}).update(values)
            except TargetError as error:
                # What the other clusters say is kept.
                failed[one.cluster, one.region] = str(error)
        if len(failed) < len(clusters):
            _write(folder, _file_of(clusters, known, minutes, time(), failed))
        if failed:
            raise TargetError(_unasked(failed))
        there = [known[one.cluster, one.region] for one in clusters]
        fetched = Fetched(
            len(minutes),
            sum(all(minute in points.get(_ALWAYS[0], {}) for points in there) for minute in minutes),
            all(_complete(points, minutes, time()) for points in there),
        )
        if fetched.there == fetched.minutes or monotonic() >= deadline:
            return fetched
        sleep(_AGAIN_S)


def _complete(points: Points, minutes: range, now: float) -> bool:
    """Whether asking again would find nothing new."""
    age = now - minutes.stop
    if age >= _FINAL_S:
        return True
    return age >= _SETTLED_S and all(
        minute in points.get(name, {}) for name in _ALWAYS for minute in minutes
    )


def _unasked(failed: Mapping[tuple[str, str], str]) -> str:
    """Every cluster and Region that gave no answer; those with one reason together."""
    parts = []
    for reason in dict.fromkeys(failed.values()):
        places = [place for place, why in failed.items() if why == reason]
        clusters, regions = (list(dict.fromkeys(names)) for names in zip(*places, strict=True))
        parts.append(
            f"what cluster{'s' if len(clusters) > 1 else ''} {' and '.join(clusters)} counted cannot "
            f"be fetched from CloudWatch in {' and '.join(regions)}: {reason}"
        )
    return "; ".join(parts)


def _ask(one: Counted, minutes: range) -> Points:
    """What CloudWatch has of a cluster's minutes; raises TargetError with the cause and the remedy."""
    # Imported here: boto3 must not be imported before gevent has patched the standard library.
    from loadtest.targets.aws import clients

    try:
        client = clients.client("cloudwatch", one.region, profile=one.profile, **_ASKING)
        pages = client.get_paginator("get_metric_data").paginate(
            StartTime=datetime.fromtimestamp(minutes.start, UTC),
            EndTime=datetime.fromtimestamp(minutes.stop, UTC),
            ScanBy="TimestampAscending",
            MetricDataQueries=[
                _query(f"m{number}", metric, one.cluster) for number, metric in enumerate(METRICS)
            ],
        )
        return _points(result for page in pages for result in page["MetricDataResults"])
    except clients.ERRORS as error:
        cause, remedy = clients.explain(error)
        raise TargetError(f"{cause}; {remedy}") from None


def _query(identifier: str, metric: Metric, cluster: str) -> dict[str, Any]:
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": metric.name,
                "Dimensions": [{"Name": DIMENSION, "Value": cluster}],
            },
            "Period": PERIOD_S,
            "Stat": metric.statistic,
        },
    }


def _points(results: Iterable[Mapping[str, Any]]) -> Points:
    """The figures of every result; a long answer has several with the same identifier."""
    found: Points = {}
    for result in results:
        name = METRICS[int(result["Id"][1:])].name
        for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
            found.setdefault(name, {})[int(moment.timestamp())] = float(value)
    return found


def _file_of(
    clusters: Sequence[Counted],
    known: Mapping[tuple[str, str], Points],
    minutes: range,
    now: float,
    failed: Collection[tuple[str, str]],
) -> ServiceFile:
    """What `service.json` holds; who failed to answer is not complete."""
    return ServiceFile(
        source=f"CloudWatch {NAMESPACE}",
        period_s=PERIOD_S,
        begin=_moment(minutes.start),
        until=_moment(minutes.stop),
        fetched=_moment(now),
        clusters=tuple(
            Cluster(
                cluster=one.cluster,
                region=one.region,
                targets=one.targets,
                complete=(one.cluster, one.region) not in failed
                and _complete(known[one.cluster, one.region], minutes, now),
                metrics={
                    metric.name: service.Metric(
                        statistic=metric.statistic,
                        unit=metric.unit,
                        points=tuple((_moment(at), value) for at, value in sorted(points.items())),
                    )
                    for metric in METRICS
                    if (points := known[one.cluster, one.region].get(metric.name))
                },
            )
            for one in clusters
        ),
    )


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


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _write(folder: Path, file: ServiceFile) -> None:
    try:
        write_service(folder, file)
    except OSError as error:
        raise OccbenchError(f"{folder / SERVICE_FILE} cannot be written: {error.strerror}") from None
