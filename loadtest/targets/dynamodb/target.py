"""DynamoDB, Amazon's own or something that speaks like it."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

import botocore.session
from botocore import exceptions as failures

from loadtest.errors import TargetError
from loadtest.targets.aws import clients
from loadtest.targets.aws.connection import NotSent, Wire
from loadtest.targets.aws.endpoint import Endpoint, FoundOnce, find_endpoint
from loadtest.targets.base.dialect import Statement
from loadtest.targets.base.items import Change, ItemSession
from loadtest.targets.base.table import Invariant, Standing
from loadtest.targets.base.target import Language, StatementFailed, Target, TargetSpec
from loadtest.targets.dynamodb import errors
from loadtest.targets.dynamodb.address import read_address
from loadtest.targets.dynamodb.scanning import Sums, sum_up
from loadtest.targets.dynamodb.session import DynamoSession

SEEDED = "occbench_tables"
"""The table in which is written what the others hold."""

MISSING = "ResourceNotFoundException"
"""boto3's code for a table that is not there."""

# For what is not load; load is never repeated behind its back.
_ATTEMPTS = 3
_ANSWER_TIMEOUT_S = 30.0
# What stands in place of the Region in the names that DynamoDB Local gives.
_LOCAL_REGION = ":ddblocal:"


class DynamoTarget(Target):
    """One Region's DynamoDB, or an endpoint that speaks like it."""

    family: ClassVar[str] = "dynamodb"
    language: ClassVar[Language] = Language.ITEMS
    errors: ClassVar[tuple[type[Exception], ...]] = clients.ERRORS

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        self.address = read_address(spec)
        self._endpoint = FoundOnce(self._find_endpoint)

    @property
    def client(self) -> Any:
        """boto3's client, for everything but load; raises one of `errors`."""
        return clients.client(
            "dynamodb",
            self.address.region,
            self.address.profile,
            self.address.endpoint_url,
            attempts=_ATTEMPTS,
            sslrootcert=self.spec.sslrootcert,
            connect_timeout=5,
            read_timeout=_ANSWER_TIMEOUT_S,
        )

    def table_name(self, name: str) -> str:
        """What a table is called here."""
        return self.address.prefix + name

    def describe_table(self, name: str) -> dict[str, Any] | None:
        """What DynamoDB says of a table, None where it is not there; raises one of `errors`."""
        try:
            found: dict[str, Any] = self.client.describe_table(TableName=self.table_name(name))["Table"]
        except failures.ClientError as error:
            if error.response["Error"]["Code"] == MISSING:
                return None
            raise
        return found

    def wire(self) -> Wire:
        """A connection for one user or one thread; it opens when it is first used.

        Raises InputError, and one of `errors` where there are no credentials.
        """
        return Wire(self._endpoint.get())

    def _find_endpoint(self) -> Endpoint:
        return find_endpoint(
            self.client,
            profile=self.address.profile,
            sslrootcert=self.spec.sslrootcert,
            timeout_s=_ANSWER_TIMEOUT_S,
        )

    def start(self) -> None:
        """Find credentials, connect and ask once, so that what is wrong shows before any load."""
        try:
            wire = self.wire()
            try:
                wire.connect()
            finally:
                wire.close()
            self.describe_table(SEEDED)
        except NotSent as why:
            raise TargetError(f"{self.called} cannot be reached: {why}; {self._where()}") from None
        except clients.ERRORS as error:
            raise self.explain(error) from None

    def warm(self) -> None:
        """Find endpoint and credentials."""
        self._endpoint.get()

    def open_session(self, statements: Sequence[Statement]) -> ItemSession:
        """A session for one user, on a connection of its own."""
        del statements
        try:
            wire = self.wire()
        except clients.ERRORS as error:
            raise StatementFailed(
                errors.NOT_KNOWN, clients.explain(error)[0], commit_sent=False, connected=False
            ) from None
        return DynamoSession(wire, optimistic=self.address.optimistic, prefix=self.address.prefix)

    def describe(self) -> dict[str, Any]:
        """What a report should know of this DynamoDB."""
        local = self._is_local()
        return {
            "name": self.name,
            "url": self.spec.shown,
            "family": self.family,
            "version": "DynamoDB Local" if local else "DynamoDB",
            "regime": "optimistic",
            "isolation": "serializable",
            # DynamoDB Local keeps its tables in memory unless told otherwise, and does not say.
            "durable": not local,
            "transfer": "optimistic" if self.address.optimistic else "atomic",
        }

    def _is_local(self) -> bool:
        table = self.describe_table(SEEDED)
        return table is not None and _LOCAL_REGION in str(table.get("TableArn", ""))

    def sums(self, table: str, attribute: str) -> Sums:
        """How many items, and what an attribute adds up to; raises one of `errors`."""
        return sum_up(self.wire, self.table_name(table), attribute)

    def check(self, invariant: Invariant) -> Standing:
        """Read the whole table and add up."""
        sums = self.sums(invariant.table, invariant.value)
        return Standing(sums.total, sums.negative)

    def rehearse(self, statements: Sequence[Statement], attempt: Callable[[Any], object]) -> None:
        """Run one attempt whose write asks for versions that no item has: nothing is written."""
        try:
            session = self.open_session(statements)
            try:
                attempt(_Rehearsal(session))
            finally:
                session.close()
        except StatementFailed as failure:
            # Somebody else may be at work on the same items: that is what the run is to measure.
            if failure.sqlstate not in (errors.CONFLICT, errors.THROTTLED):
                self._raise_failed(failure)

    def _raise_failed(self, failure: StatementFailed) -> NoReturn:
        remedy = _REMEDIES.get(failure.sqlstate, "check what was asked for")
        raise TargetError(f"{self.called} refuses: {failure.message}; {remedy}") from None

    def explain(self, error: Exception) -> TargetError:
        """One line for what boto3 raised."""
        cause, remedy = clients.explain(error)
        return TargetError(f"{self.called}: {cause}; {remedy}")

    def _where(self) -> str:
        """What to look at where nothing answers."""
        if self.address.endpoint_url is not None:
            return "check endpoint_url= and that something listens there"
        session = botocore.session.Session()
        known = {
            region
            for partition in session.get_available_partitions()
            for region in session.get_available_regions(self.family, partition)
        }
        if self.address.region not in known:
            return f"boto3 knows no Region {self.address.region}, check its name"
        return "check the network"

    def server_id(self) -> str:
        """The endpoint."""
        return str(self.client.meta.endpoint_url)


_REMEDIES = {
    errors.NO_TABLE: "seed it first, and check the Region and prefix=",
    errors.NO_DATA: "seed the table again with --recreate",
    errors.NOT_ALLOWED: (
        "let the IAM policy of these credentials allow dynamodb:UpdateItem and dynamodb:BatchGetItem"
    ),
    errors.NOT_KNOWN: "check the AWS credentials",
    errors.CANNOT_CONNECT: "check the network, and endpoint_url= where there is one",
    errors.LOST: "check the network, and endpoint_url= where there is one",
}

# Versions count from 0.
_NO_VERSION = -1


class _Rehearsal:
    """A session whose write cannot succeed, and that takes the failure for a success."""

    def __init__(self, session: ItemSession) -> None:
        self._session = session
        self.optimistic = session.optimistic
        self.begin, self.read = session.begin, session.read
        self.rollback = session.rollback

    def write(self, changes: Sequence[Change]) -> None:
        """Ask for versions that no item has."""
        never = [change._replace(version=_NO_VERSION, at_least=None) for change in changes]
        try:
            self._session.write(never)
        except StatementFailed as failure:
            if failure.sqlstate != errors.CONFLICT:
                raise
