"""Aurora DSQL's clusters as things to make, to list and to delete.

What the tool makes it tags, and it deletes nothing else. Everything goes through the service's control
plane; the cluster's own data is never touched.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import words_of

TAG = "occbench"
"""The tag that says that this tool made a cluster; its value is when."""

READY = frozenset({"ACTIVE", "IDLE", "INACTIVE"})
"""A cluster in one of these answers; one that was idle wakes up first."""

_NEVER_READY = frozenset({"FAILED", "DELETING", "DELETED", "PENDING_DELETE"})
# The control plane takes only so many questions at a time.
_ASKING: dict[str, Any] = {"attempts": 4, "connect_timeout": 10}
_POLL_S = 2.0
_SAY_EVERY_S = 20.0
_PATIENCE_S = 1800.0
_ID = re.compile(r"[a-z0-9]{26}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d+")
_NAME = re.compile(r"[A-Za-z0-9_.:/=+\-@ ]{1,256}")

Say = Callable[[str], None]
"""Takes one line for the user who waits."""


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
    peers: tuple[str, ...] = ()
    """The ARNs of the other halves of a linked pair."""
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


def read_regions(flag: str, text: str) -> list[str]:
    """The Regions in `us-east-1,us-east-2`, each once; raises InputError where one cannot be any."""
    regions = list(dict.fromkeys(words_of(text)))
    for region in regions or [text]:
        if not _REGION.fullmatch(region):
            raise InputError(f"{flag}: {quoted(region)} is not the name of a Region, such as us-east-1")
    return regions


@dataclass(frozen=True, slots=True)
class Wish:
    """A cluster to be made, or a linked pair of them."""

    region: str
    name: str | None = None
    protected: bool = False
    peer_region: str | None = None
    witness_region: str | None = None

    def check(self) -> None:
        """See that it makes sense; raises InputError."""
        for flag, region in self._regions():
            if len(read_regions(flag, region)) != 1:
                raise InputError(f"{flag}: one Region is needed, not {region}")
        if (self.peer_region is None) != (self.witness_region is None):
            raise InputError(
                "--peer-region and --witness-region go together: a linked pair has two Regions with "
                "an endpoint each and a third that holds a copy of the log"
            )
        regions = [region for _, region in self._regions()]
        if len(set(regions)) != len(regions):
            raise InputError(
                "--region, --peer-region and --witness-region must be three different Regions"
            )
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise InputError(
                f"--name {quoted(self.name)} cannot be a tag's value: letters, digits, spaces and "
                "_.:/=+-@ are allowed, 256 of them at most"
            )

    def _regions(self) -> list[tuple[str, str]]:
        given = (
            ("--region", self.region),
            ("--peer-region", self.peer_region),
            ("--witness-region", self.witness_region),
        )
        return [(flag, region) for flag, region in given if region is not None]


class ControlPlane:
    """Aurora DSQL's own service, in any Region; every failure is an error with one line."""

    def __init__(self, profile: str | None = None) -> None:
        self.profile = profile

    def create(
        self, region: str, tags: Mapping[str, str], *, protected: bool, links: Mapping[str, Any] | None
    ) -> Cluster:
        """Order a cluster; it is not there yet. `links` names the witness and the other half."""
        more = {"multiRegionProperties": links} if links else {}
        with self._asking(f"no cluster can be made in {region}", region) as client:
            made = client.create_cluster(deletionProtectionEnabled=protected, tags=dict(tags), **more)
        return _cluster(region, {**made, "tags": tags})

    def get(self, region: str, identifier: str) -> Cluster | None:
        """A cluster as it is now; None where there is no such one."""
        lead = f"cluster {identifier} in {region} cannot be looked up"
        with self._asking(lead, region) as client:
            try:
                return _cluster(region, client.get_cluster(identifier=identifier))
            except client.exceptions.ResourceNotFoundException:
                return None

    def all(self, region: str) -> list[Cluster]:
        """Every cluster of a Region, the oldest first."""
        found = []
        with self._asking(f"the clusters in {region} cannot be listed", region) as client:
            for page in client.get_paginator("list_clusters").paginate():
                found += [one["identifier"] for one in page["clusters"]]
        clusters = [self.get(region, identifier) for identifier in found]
        return sorted((c for c in clusters if c is not None), key=lambda c: c.created)

    def link(self, cluster: Cluster, links: Mapping[str, Any]) -> None:
        """Tell a cluster of its witness and its other half."""
        with self._asking(f"{cluster} cannot be linked", cluster.region) as client:
            client.update_cluster(identifier=cluster.identifier, multiRegionProperties=dict(links))

    def unprotect(self, cluster: Cluster) -> None:
        """Lift a cluster's deletion protection."""
        with self._asking(f"{cluster} keeps its deletion protection", cluster.region) as client:
            client.update_cluster(identifier=cluster.identifier, deletionProtectionEnabled=False)

    def delete(self, cluster: Cluster) -> None:
        """Order a cluster's end; one that is gone already is fine."""
        with self._asking(f"{cluster} cannot be deleted", cluster.region) as client:
            try:
                client.delete_cluster(identifier=cluster.identifier)
            except client.exceptions.ResourceNotFoundException:
                return

    @contextmanager
    def _asking(self, lead: str, region: str) -> Iterator[Any]:
        # Imported here: boto3 takes a third of a second, and the command line knows this module.
        from loadtest.targets.aws import clients

        try:
            yield clients.client("dsql", region, profile=self.profile, **_ASKING)
        except clients.ERRORS as error:
            cause, remedy = clients.explain(error)
            raise TargetError(f"{lead}: {cause}; {remedy}") from None


def _cluster(region: str, answer: Mapping[str, Any]) -> Cluster:
    """What the control plane said of a cluster. A pair's list of clusters may name both halves."""
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
        peers=tuple(peer for peer in links.get("clusters", ()) if peer != arn),
        witness=links.get("witnessRegion"),
        tags=dict(answer.get("tags") or {}),
    )


def create(control: ControlPlane, wish: Wish, say: Say) -> list[Cluster]:
    """Make a cluster, or a linked pair, and wait until it can be used.

    Whatever goes wrong on the way, Ctrl-C included, what exists by then is named with the command that
    removes it.

    Raises InputError where the wish makes no sense, TargetError where the service refuses.
    """
    wish.check()
    made: list[Cluster] = []
    try:
        _order(control, wish, made, say)
        return [_wait_until_ready(control, cluster, say) for cluster in made]
    except TargetError as error:
        if not made:
            raise
        raise TargetError(f"{error}; {_remains(made)}") from None
    except KeyboardInterrupt:
        say(
            f"{_remains(made)}; "
            f"`occbench cluster list --region {_regions(made)}` shows when it is active"
            if made
            else f"`occbench cluster list --region {wish.region}` shows whether a cluster was made"
        )
        raise


def _order(control: ControlPlane, wish: Wish, made: list[Cluster], say: Say) -> None:
    """Order what is wished for; `made` grows with every cluster that exists."""
    now = datetime.now(UTC)
    tags = {TAG: f"{now:%Y-%m-%dT%H:%M:%SZ}", **({"Name": wish.name} if wish.name else {})}
    witness = {"witnessRegion": wish.witness_region} if wish.witness_region else {}

    def one(region: str, **links: Any) -> Cluster:
        cluster = control.create(region, tags, protected=wish.protected, links=witness | links)
        made.append(cluster)
        say(f"{cluster}: ordered")
        return cluster

    first = one(wish.region)
    if wish.peer_region is not None:
        second = one(wish.peer_region, clusters=[first.arn])
        # Only now is the second's name known; with it both halves begin to be set up.
        control.link(first, {**witness, "clusters": [second.arn]})


def _remains(clusters: Sequence[Cluster]) -> str:
    """What is there, and how to be rid of it."""
    there = " and ".join(map(str, clusters))
    identifiers = " ".join(c.identifier for c in clusters)
    command = f"occbench cluster delete {identifiers} --region {_regions(clusters)}"
    return f"{there} {'exists' if len(clusters) == 1 else 'exist'}; `{command}` removes what is there"


def _regions(clusters: Iterable[Cluster]) -> str:
    return ",".join(dict.fromkeys(c.region for c in clusters))


def _wait_until_ready(control: ControlPlane, cluster: Cluster, say: Say) -> Cluster:
    for status in _watch(control, cluster, say):
        if status is None or status.status in _NEVER_READY:
            state = "is gone" if status is None else f"is {status.status}"
            raise TargetError(f"{cluster} {state} and will not become active")
        if status.ready:
            return status
    raise TargetError(f"{cluster} is not active after {_PATIENCE_S / 60:.0f} minutes")


def _wait_until_gone(control: ControlPlane, cluster: Cluster, say: Say) -> None:
    for status in _watch(control, cluster, say):
        if status is None:
            say(f"{cluster}: gone")
            return
    raise TargetError(f"{cluster} is not gone after {_PATIENCE_S / 60:.0f} minutes")


def _watch(control: ControlPlane, cluster: Cluster, say: Say) -> Iterator[Cluster | None]:
    """The cluster's state, again and again, with a line where it changes and now and then."""
    began, said_at, said = monotonic(), 0.0, ""
    while (elapsed := monotonic() - began) < _PATIENCE_S:
        now = control.get(cluster.region, cluster.identifier)
        status = now.status if now else ""
        if now and (status != said or elapsed - said_at >= _SAY_EVERY_S):
            say(f"{cluster}: {status.lower().replace('_', ' ')}, {elapsed:.0f} s")
            said, said_at = status, elapsed
        yield now
        sleep(_POLL_S)


def find(control: ControlPlane, identifiers: Sequence[str], regions: Sequence[str]) -> list[Cluster]:
    """The clusters with these identifiers, each looked for in every Region, and their other halves.

    Raises InputError where one is no identifier, TargetError where one is nowhere.
    """
    for identifier in identifiers:
        if not _ID.fullmatch(identifier):
            raise InputError(
                f"{quoted(identifier)} is not a cluster's identifier (26 letters and digits); "
                f"`occbench cluster list --region {regions[0]}` shows them"
            )
    found: dict[str, Cluster] = {}
    missing = []
    for identifier in identifiers:
        looked = (control.get(region, identifier) for region in regions)
        cluster = next((c for c in looked if c is not None), None)
        if cluster is None:
            missing.append(identifier)
            continue
        found[cluster.identifier] = cluster
        for arn in cluster.peers:
            # arn:aws:dsql:REGION:ACCOUNT:cluster/IDENTIFIER
            peer = control.get(arn.split(":")[3], arn.rpartition("/")[2])
            if peer is not None:
                found[peer.identifier] = peer
    unknown = [identifier for identifier in missing if identifier not in found]
    if unknown:
        raise TargetError(
            f"there is no cluster {unknown[0]} in {', '.join(regions)}; nothing was deleted; "
            f"`occbench cluster list --region {','.join(regions)}` shows what is there"
        )
    return list(found.values())


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


def delete(control: ControlPlane, clusters: Sequence[Cluster], say: Say) -> None:
    """Delete these clusters and wait until they are gone; a pair's halves go only together.

    What is protected is unprotected first: `check_deletable` has asked whether that is meant.

    Raises TargetError where the service refuses; it names what is still there.
    """
    left = list(clusters)
    try:
        for cluster in clusters:
            if cluster.protected:
                control.unprotect(cluster)
        for cluster in clusters:
            control.delete(cluster)
            left.remove(cluster)
            say(f"{cluster}: being deleted")
        for cluster in clusters:
            _wait_until_gone(control, cluster, say)
    except TargetError as error:
        raise TargetError(f"{error}; {_remains(left)}" if left else str(error)) from None
    except KeyboardInterrupt:
        say(
            "what is being deleted goes on without this command; "
            f"`occbench cluster list --region {_regions(clusters)}` shows what is still there"
        )
        raise


def confirm(clusters: Sequence[Cluster]) -> None:
    """Ask on the terminal whether these clusters may go.

    Raises InputError where there is nobody to ask, OccbenchError where the answer is not yes.
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
        peers = [f"{arn.rpartition('/')[2]} in {arn.split(':')[3]}" for arn in c.peers]
        witness = f" (witness {c.witness})" if c.witness else ""
        rows.append(
            (
                c.identifier,
                c.region,
                c.status + (", protected" if c.protected else ""),
                TAG if c.ours else "other",
                f"{c.created:%Y-%m-%d %H:%M}",
                c.endpoint,
                ", ".join(peers) + witness if peers else "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def how_to_use(clusters: Sequence[Cluster], profile: str | None) -> list[str]:
    """What was made, and what to give to the other commands."""
    lines = [f"{c}, endpoint {c.endpoint}" for c in clusters]
    names = [f"{c.region}=" if len(clusters) > 1 else "" for c in clusters]
    more = f"&profile={quote(profile)}" if profile else ""
    lines.append(
        " ".join(
            f"--target '{name}dsql://{c.endpoint}?user=admin{more}'"
            for name, c in zip(names, clusters, strict=True)
        )
    )
    return lines
