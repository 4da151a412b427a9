"""`service.json`: what Aurora DSQL itself counted during a run, minute by minute."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field, PlainSerializer

from loadtest.record.model import File, Many, Number, Part, read_file

SERVICE_FILE = "service.json"


def _shown_as(pattern: str) -> PlainSerializer:
    def show(moment: datetime) -> str:
        return moment.astimezone(UTC).strftime(pattern)

    return PlainSerializer(show, return_type=str)


Minute = Annotated[AwareDatetime, Field(strict=False), _shown_as("%Y-%m-%dT%H:%MZ")]
Second = Annotated[AwareDatetime, Field(strict=False), _shown_as("%Y-%m-%dT%H:%M:%SZ")]


class Metric(Part):
    """One of the service's figures."""

    statistic: str
    unit: str
    points: Many[Annotated[tuple[Minute, Number], Field(strict=False)]]
    """The begin of each minute, and the figure."""


class Cluster(Part):
    """The figures of one cluster."""

    cluster: str
    region: str
    targets: Many[str]
    """The targets that are endpoints of it."""
    complete: bool
    """Whether asking again would find nothing new."""
    metrics: dict[str, Metric]


class ServiceFile(File):
    """The figures of all clusters of a run, as `service.json` has them."""

    model_config = ConfigDict(populate_by_name=True)

    source: str
    period_s: int
    begin: Minute = Field(alias="from")
    until: Minute
    fetched: Second
    clusters: Many[Cluster]


def write_service(folder: Path, file: ServiceFile) -> None:
    """Write `service.json`, whole or not at all; raises OSError."""
    file.write(folder / SERVICE_FILE)


def read_service(folder: Path) -> ServiceFile | None:
    """Read it; None where a run has none, InputError where it is broken."""
    path = folder / SERVICE_FILE
    if not path.is_file():
        return None
    return read_file(ServiceFile, path, "what a service counted", "delete it and fetch it again")
