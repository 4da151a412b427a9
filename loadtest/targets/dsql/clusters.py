"""Aurora DSQL's clusters as things to make, to list and to delete.

What the tool makes it tags, and it deletes nothing else. Everything goes through the service's control
plane; the cluster's own data is never touched.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any, NamedTuple
from urllib.parse import quote

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import words_of

TAG = "occbench"
"""The tag that says that this tool made a cluster; its value is when."""

READY = frozenset({"ACTIVE", "IDLE", "INACTIVE"})
"""A cluster in one of these answers; one that was idle wakes up first."""

_NEVER_READY = frozenset({"FAILED", "DELETING", "DELETED", "PENDING_DELETE"})
# The control plane takes only so many requests at a time.
_CLIENT_OPTIONS: dict[str, Any] = {"attempts": 4, "connect_timeout": 10}
_POLL_S, _REPORT_EVERY_S, _PATIENCE_S = 2.0, 20.0, 1800.0
_ID = re.compile(r"[a-z0-9]{26}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
_NAME = re.compile(r"[A-Za-z0-9_.:/=+\-@ ]{1,256}")

Report = Callable[[str], None]
"""Takes one line for the user who waits."""


class Peer(NamedTuple):
    """The other half of a linked pair."""

    identifier: str
    region: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster in one Region, as the control plane described it."""

    identifier: str
    region: str
    arn: str
    status: str
    endpoint: str
    """The host name to connect to."""
    created: datetime
    protected: bool
    """Whether it cannot be deleted until someone lifts that."""
    peers: tuple[Peer, ...] = ()
    witness: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether this tool made it."""
        return TAG in self.tags

    @property
    def ready(self) -> bool:
        """Whether it can be connected to."""
        return self.status in READY

    def __str__(self) -> str:
        return f"cluster {self.identifier} in {self.region}"


def check_identifier(text: str, lead: str = "", region: str = "") -> None:
    """Refuse what is not a cluster's identifier; raises InputError."""
    if not _ID.fullmatch(text):
        where = f" --region {region}" if region else ""
        raise InputError(
            f"{lead}{quoted(text)} is not a cluster's identifier (26 letters and digits); "
            f"`occbench cluster list{where}` shows them"
        )


def read_regions(flag: str, text: str) -> list[str]:
    """The Regions in `us-east-1,us-east-2`, each once; raises InputError where one cannot be any."""
    regions = list(dict.fromkeys(words_of(text)))
    for region in regions or [text]:
        if not _REGION.fullmatch(region):
            raise InputError(f"{flag}: {quoted(region)} is not the name of a Region, such as us-east-1")
    return regions


@dataclass(frozen=True, slots=True)
class NewCluster:
    """A cluster to be made, or a linked pair of them."""

    region: str
    name: str | None = None
    protected: bool = False
    peer_region: str | None = None
    witness_region: str | None = None

    def check(self) -> None:
        """See that it makes sense; raises InputError."""
        given = {
            "--region": self.region,
            "--peer-region": self.peer_region,
            "--witness-region": self.witness_region,
        }
        regions = {flag: region for flag, region in given.items() if region is not None}
        for flag, region in regions.items():
            if len(read_regions(flag, region)) != 1:
                raise InputError(f"{flag}: one Region is needed, not {region}")
        if len(regions) == 2:
            raise InputError(
                "--peer-region and --witness-region go together: a linked pair has two Regions with "
                "an endpoint each and a third that holds a copy of the log"
            )
        if len(set(regions.values())) != len(regions):
            raise InputError(f"{', '.join(regions)} must be three different Regions")
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise InputError(
                f"--name {quoted(self.name)} cannot be a tag's value: letters, digits, spaces and "
                "_.:/=+-@ are allowed, 256 of them at most"
            )


class ControlPlane:
    """Aurora DSQL's own service, in any Region; every failure is an error with one line."""

    def __init__(self, profile: str | None = None) -> None:
        self.profile = profile

    def create(self, region: str, tags: Mapping[str, str], protected: bool, links: Any) -> Cluster:
        """Order a cluster; it is not there yet. `links` names the witness and the other half."""
        more = {"multiRegionProperties": links} if links else {}
        with self._client(f"no cluster can be made in {region}", region) as client:
            made = client.create_cluster(deletionProtectionEnabled=protected, tags=dict(tags), **more)
        return _read_cluster(region, {**made, "tags": tags})

    def get(self, region: str, identifier: str) -> Cluster | None:
        """A cluster as it is now; None where there is no such one."""
        lead = f"cluster {identifier} in {region} cannot be looked up"
        with self._client(lead, region) as client:
            try:
                return _read_cluster(region, client.get_cluster(identifier=identifier))
            except client.exceptions.ResourceNotFoundException:
                return None

    def all(self, region: str) -> list[Cluster]:
        """Every cluster of a Region, the oldest first."""
        with self._client(f"the clusters in {region} cannot be listed", region) as client:
            pages = client.get_paginator("list_clusters").paginate()
            identifiers = [one["identifier"] for page in pages for one in page["clusters"]]
        clusters = [self.get(region, identifier) for identifier in identifiers]
        return sorted((c for c in clusters if c is not None), key=lambda c: c.created)

    def update(self, cluster: Cluster, lead: str, **changes: Any) -> None:
        """Change a cluster; `lead` is what it means that it cannot be changed."""
        with self._client(f"{cluster} {lead}", cluster.region) as client:
            client.update_cluster(identifier=cluster.identifier, **changes)

    def delete(self, cluster: Cluster) -> None:
        """Order a cluster's end; one that is gone already is fine."""
        with self._client(f"{cluster} cannot be deleted", cluster.region) as client:
            try:
                client.delete_cluster(identifier=cluster.identifier)
            except client.exceptions.ResourceNotFoundException:
                return

    @contextmanager
    def _client(self, lead: str, region: str) -> Iterator[Any]:
        # Imported here: boto3 takes a third of a second, and the command line knows this module.
        from loadtest.targets.aws import clients, errors

        try:
            yield clients.client("dsql", region, profile=self.profile, **_CLIENT_OPTIONS)
        except errors.ERRORS as error:
            raise errors.target_error(lead, error) from None


def _read_cluster(region: str, answer: Mapping[str, Any]) -> Cluster:
    """What the control plane says of a cluster. A pair's list of clusters may name both halves."""
    links = answer.get("multiRegionProperties") or {}
    identifier, arn = answer["identifier"], answer["arn"]
    return Cluster(
        identifier=identifier,
        region=region,
        arn=arn,
        status=answer["status"],
        # Older services do not say it; it has always been this.
        endpoint=answer.get("endpoint") or f"{identifier}.dsql.{region}.on.aws",
        created=answer["creationTime"].astimezone(UTC),
        protected=bool(answer["deletionProtectionEnabled"]),
        # arn:aws:dsql:REGION:ACCOUNT:cluster/IDENTIFIER
        peers=tuple(
            Peer(peer.rpartition("/")[2], peer.split(":")[3])
            for peer in links.get("clusters", ())
            if peer != arn
        ),
        witness=links.get("witnessRegion"),
        tags=dict(answer.get("tags") or {}),
    )


def create(control: ControlPlane, new: NewCluster, report: Report) -> list[Cluster]:
    """Make a cluster, or a linked pair, and wait until it can be used.

    If anything goes wrong on the way, Ctrl-C included, what exists by then is named with the command
    that removes it.

    Raises InputError where the request makes no sense, TargetError where the service refuses.
    """
    new.check()
    made: list[Cluster] = []
    try:
        _order(control, new, made, report)
        return [_wait(control, cluster, report, "active") for cluster in made]
    except TargetError as error:
        if not made:
            raise
        raise TargetError(f"{error}; {_remains(made)}") from None
    except KeyboardInterrupt:
        report(
            f"{_remains(made)}; `{_list_command(made)}` shows when it is active"
            if made
            else f"`occbench cluster list --region {new.region}` shows whether a cluster was made"
        )
        raise


def _order(control: ControlPlane, new: NewCluster, made: list[Cluster], report: Report) -> None:
    """Order what is to be made; `made` grows with every cluster that exists."""
    now = datetime.now(UTC)
    tags = {TAG: f"{now:%Y-%m-%dT%H:%M:%SZ}", **({"Name": new.name} if new.name else {})}
    links: dict[str, Any] = {"witnessRegion": new.witness_region} if new.witness_region else {}
    for region in filter(None, (new.region, new.peer_region)):
        if made:
            links["clusters"] = [made[0].arn]
        made.append(control.create(region, tags, new.protected, links))
        report(f"{made[-1]}: ordered")
    if len(made) > 1:
        # Only now is the second's name known; with it both halves begin to be set up.
        both = {**links, "clusters": [made[1].arn]}
        control.update(made[0], "cannot be linked", multiRegionProperties=both)


def _remains(clusters: Sequence[Cluster]) -> str:
    """What is there, and the command that removes it."""
    there = " and ".join(map(str, clusters))
    identifiers = " ".join(c.identifier for c in clusters)
    command = f"occbench cluster delete {identifiers} --region {_regions(clusters)}"
    return f"{there} {'exists' if len(clusters) == 1 else 'exist'}; `{command}` removes what is there"


def _list_command(clusters: Sequence[Cluster]) -> str:
    return f"occbench cluster list --region {_regions(clusters)}"


def _regions(clusters: Sequence[Cluster]) -> str:
    return ",".join(dict.fromkeys(c.region for c in clusters))


def _wait(control: ControlPlane, cluster: Cluster, report: Report, awaited: str) -> Cluster:
    """The cluster as it is when it is `active` or `gone`; a line where its state changes, and at times.

    Raises TargetError when that takes too long, or cannot be any more.
    """
    began, reported_at, reported = monotonic(), 0.0, ""
    while (elapsed := monotonic() - began) < _PATIENCE_S:
        now = control.get(cluster.region, cluster.identifier)
        status = now.status.lower().replace("_", " ") if now else "gone"
        if status != reported or elapsed - reported_at >= _REPORT_EVERY_S:
            report(f"{cluster}: {status}, {elapsed:.0f} s" if now else f"{cluster}: gone")
            reported, reported_at = status, elapsed
        if awaited == "gone":
            if now is None:
                return cluster
        elif now is None or now.status in _NEVER_READY:
            raise TargetError(f"{cluster} is {status} and will not become active")
        elif now.ready:
            return now
        sleep(_POLL_S)
    raise TargetError(f"{cluster} is not {awaited} after {_PATIENCE_S / 60:.0f} minutes")


def find(control: ControlPlane, identifiers: Sequence[str], regions: Sequence[str]) -> list[Cluster]:
    """The clusters with these identifiers, each looked for in every Region, and their other halves.

    Raises InputError where one is no identifier, TargetError where one is nowhere.
    """
    for identifier in identifiers:
        check_identifier(identifier, region=regions[0])
    clusters: dict[str, Cluster] = {}
    for identifier in identifiers:
        in_regions = (control.get(region, identifier) for region in regions)
        cluster = next((c for c in in_regions if c is not None), None)
        if cluster is not None:
            others = [control.get(peer.region, peer.identifier) for peer in cluster.peers]
            clusters.update({c.identifier: c for c in (cluster, *others) if c is not None})
    for identifier in identifiers:
        if identifier not in clusters:
            raise TargetError(
                f"there is no cluster {identifier} in {', '.join(regions)}; nothing was deleted; "
                f"`occbench cluster list --region {','.join(regions)}` shows what is there"
            )
    return list(clusters.values())


def check_deletable(clusters: Sequence[Cluster], *, lift_protection: bool) -> None:
    """Refuse what was not made by this tool, and what is protected; raises InputError."""
    for cluster in clusters:
        if not cluster.ours:
            raise InputError(
                f"{cluster} was not made by occbench (it has no tag {TAG!r}); nothing was deleted; "
                "delete it where it was made"
            )
    for cluster in clusters:
        if cluster.protected and not lift_protection:
            raise InputError(
                f"{cluster} has deletion protection; nothing was deleted; add --lift-protection to "
                "delete it all the same"
            )


def delete(control: ControlPlane, clusters: Sequence[Cluster], report: Report) -> None:
    """Delete these clusters and wait until they are gone; a pair's halves go only together.

    What is protected is unprotected first: `check_deletable` has asked whether that is meant.

    Raises TargetError where the service refuses; it names what is still there.
    """
    left = list(clusters)
    try:
        for cluster in clusters:
            if cluster.protected:
                lead = "keeps its deletion protection"
                control.update(cluster, lead, deletionProtectionEnabled=False)
        for cluster in clusters:
            control.delete(cluster)
            left.remove(cluster)
            report(f"{cluster}: being deleted")
        for cluster in clusters:
            _wait(control, cluster, report, "gone")
    except TargetError as error:
        raise TargetError(f"{error}; {_remains(left)}" if left else str(error)) from None
    except KeyboardInterrupt:
        report(
            "what is being deleted goes on without this command; "
            f"`{_list_command(clusters)}` shows what is still there"
        )
        raise


def confirm(clusters: Sequence[Cluster]) -> None:
    """Ask on the terminal whether these clusters may go.

    Raises InputError where there is no terminal, OccbenchError where the answer is not yes.
    """
    if not sys.stdin.isatty():
        raise InputError(
            "there is no terminal to ask whether the cluster may be deleted; nothing was deleted; "
            "add --yes if it may"
        )
    what = "this cluster" if len(clusters) == 1 else f"these {len(clusters)} clusters"
    sys.stderr.write(f"Delete {what} and all data in it? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise OccbenchError("nothing was deleted")


def listing(clusters: Sequence[Cluster]) -> list[str]:
    """One line for each cluster, under a line of heads."""
    rows = [("IDENTIFIER", "REGION", "STATUS", "MADE BY", "CREATED", "ENDPOINT", "LINKED WITH")]
    for c in clusters:
        peers = ", ".join(f"{peer.identifier} in {peer.region}" for peer in c.peers)
        status = f"{c.status}, protected" if c.protected else c.status
        linked = f"{peers} (witness {c.witness})" if peers and c.witness else peers
        maker, created = TAG if c.ours else "other", f"{c.created:%Y-%m-%d %H:%M}"
        rows.append((c.identifier, c.region, status, maker, created, c.endpoint, linked))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def how_to_use(clusters: Sequence[Cluster], profile: str | None) -> list[str]:
    """What was made, and what to give to the other commands."""
    more = f"&profile={quote(profile)}" if profile else ""
    names = [f"{c.region}=" if len(clusters) > 1 else "" for c in clusters]
    targets = [
        f"--target '{name}dsql://{c.endpoint}?user=admin{more}'"
        for name, c in zip(names, clusters, strict=True)
    ]
    return [*(f"{c}, endpoint {c.endpoint}" for c in clusters), " ".join(targets)]
