"""Aurora DSQL by a cluster's identifier: its endpoint is asked of the service."""

from typing import ClassVar

from loadtest.errors import InputError, TargetError
from loadtest.targets.aws.endpoint import Once
from loadtest.targets.base.target import TargetSpec
from loadtest.targets.dsql.clusters import ControlPlane, check_identifier
from loadtest.targets.dsql.target import ClusterEndpoint, DsqlTarget


class DsqlClusterTarget(DsqlTarget):
    """`dsql-cluster://<identifier>?region=us-east-1[&profile=…]`; all else is as with `dsql://`."""

    family: ClassVar[str] = "dsql-cluster"

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        check_identifier(self.address, f"target {spec.shown}: ")
        self._region = spec.options.get("region", "")
        if not self._region:
            raise InputError(
                f"target {spec.shown}: the cluster's Region is missing; give ?region=, as in "
                f"dsql-cluster://{self.address}?region=us-east-1"
            )
        self._endpoint = Once(self._look_up)

    def endpoint(self) -> ClusterEndpoint:
        """The cluster's endpoint, looked up once; raises TargetError where there is none to use."""
        return self._endpoint.get()

    def _look_up(self) -> ClusterEndpoint:
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
        return ClusterEndpoint(cluster.endpoint, self._region)
