"""Aurora DSQL by a cluster's identifier: its endpoint is asked of the service."""

import re
from threading import Lock
from typing import ClassVar

from loadtest.errors import InputError, TargetError
from loadtest.errors.messages import quoted
from loadtest.targets.base.target import TargetSpec
from loadtest.targets.dsql.clusters import ControlPlane
from loadtest.targets.dsql.target import DsqlTarget, Endpoint

_ID = re.compile(r"[a-z0-9]{26}")


class DsqlClusterTarget(DsqlTarget):
    """`dsql-cluster://<identifier>?region=us-east-1[&profile=…]`; all else is as with `dsql://`."""

    family: ClassVar[str] = "dsql-cluster"

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        if not _ID.fullmatch(self.address):
            raise InputError(
                f"target {spec.shown}: {quoted(self.address)} is not a cluster's identifier (26 "
                "letters and digits); `occbench cluster list` shows them"
            )
        region = spec.options.get("region")
        if not region:
            raise InputError(
                f"target {spec.shown}: the cluster's Region is missing; give ?region=, as in "
                f"dsql-cluster://{self.address}?region=us-east-1"
            )
        self._region = region
        self._found: Endpoint | None = None
        self._looking = Lock()

    def endpoint(self) -> Endpoint:
        """The cluster's endpoint, looked up once; raises TargetError where there is none to use."""
        # All users of a process ask at the same time; one goes and looks.
        with self._looking:
            if self._found is None:
                self._found = self._look_up()
            return self._found

    def _look_up(self) -> Endpoint:
        try:
            cluster = ControlPlane(self.profile).get(self._region, self.address)
        except TargetError as error:
            raise TargetError(f"target {self.name}: {error}") from None
        listing = f"`occbench cluster list --region {self._region}` shows what is there"
        if cluster is None:
            raise TargetError(f"{self.called}: there is no such cluster in {self._region}; {listing}")
        if not cluster.ready:
            raise TargetError(
                f"{self.called}: the cluster is {cluster.status}, not ready for connections; {listing}"
            )
        return Endpoint(cluster.endpoint, self._region)
