"""DynamoDB, Amazon's own or something that speaks like it."""

import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from loadtest.errors import InputError, TargetError
from loadtest.targets.aws.connection import HttpConnection
from loadtest.targets.aws.target import AwsTarget
from loadtest.targets.base.dialect import Statement
from loadtest.targets.base.items import Change, ItemSession
from loadtest.targets.base.table import Invariant, Standing
from loadtest.targets.base.target import Language, StatementFailed, TargetSpec
from loadtest.targets.dynamodb import errors
from loadtest.targets.dynamodb.scanning import Sums, sum_up
from loadtest.targets.dynamodb.session import DynamoSession
from loadtest.targets.url import choice, said_option

SEEDED = "occbench_tables"
"""The table in which is written what the others hold."""

MISSING = "ResourceNotFoundException"
"""boto3's code for a table that is not there."""

# What DynamoDB lets a table's name be made of; room must be left for the name itself.
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,200}")
# What stands in place of the Region in the names that DynamoDB Local gives.
_LOCAL_REGION = ":ddblocal:"
_REMEDIES = {
    errors.NO_TABLE: "seed it first, and check the Region and prefix=",
    errors.NO_ITEM: "seed the table again with --recreate",
    errors.NOT_ALLOWED: (
        "let the IAM policy of these credentials allow dynamodb:UpdateItem and dynamodb:BatchGetItem"
    ),
    errors.WRONG_CREDENTIALS: "check the AWS credentials",
}


class DynamoTarget(AwsTarget):
    """One Region's DynamoDB, or an endpoint that speaks like it."""

    family: ClassVar[str] = "dynamodb"
    language: ClassVar[Language] = Language.ITEMS
    answer_timeout_s: ClassVar[float] = 30.0

    address_pattern: ClassVar[re.Pattern[str]] = re.compile("(?P<region>[a-z0-9-]+)/?")
    address_help: ClassVar[str] = "it does not name a Region; give it as dynamodb://us-east-1"
    known_options: ClassVar[tuple[str, ...]] = ("transfer", "prefix")

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        self.optimistic = choice(spec, "transfer", ("atomic", "optimistic")) == "optimistic"
        """Read both items, then write on condition of their versions; else one request does it all."""
        self.prefix = spec.options.get("prefix", "")
        """What the names of all tables begin with."""
        if not _PREFIX.fullmatch(self.prefix):
            raise InputError(
                f"{self.called}: {said_option(spec, 'prefix')} cannot begin a table's name; use "
                "letters, digits, _ . and -"
            )

    def table_name(self, name: str) -> str:
        """What a table is called here."""
        return self.prefix + name

    def describe_table(self, name: str) -> dict[str, Any] | None:
        """What DynamoDB says of a table, None where it is not there; raises one of `errors`."""
        try:
            return dict(self.client.describe_table(TableName=self.table_name(name))["Table"])
        except ClientError as error:
            if error.response["Error"]["Code"] == MISSING:
                return None
            raise

    def ask(self, connection: HttpConnection) -> None:  # noqa: ARG002
        """Ask what is seeded, through boto3."""
        self.describe_table(SEEDED)

    def open_session(self, statements: Sequence[Statement]) -> ItemSession:  # noqa: ARG002
        """A session for one user, on a connection of its own."""
        return DynamoSession(self.connect(), optimistic=self.optimistic, prefix=self.prefix)

    def describe(self) -> dict[str, Any]:
        """What a report should know of this DynamoDB."""
        table = self.describe_table(SEEDED)
        local = table is not None and _LOCAL_REGION in str(table.get("TableArn", ""))
        return {
            "name": self.name,
            "url": self.spec.shown,
            "family": self.family,
            "version": "DynamoDB Local" if local else "DynamoDB",
            "regime": "optimistic",
            "isolation": "serializable",
            # DynamoDB Local keeps its tables in memory unless told otherwise, and does not say.
            "durable": not local,
            "transfer": "optimistic" if self.optimistic else "atomic",
        }

    def sums(self, table: str, attribute: str) -> Sums:
        """How many items, and what an attribute adds up to; raises one of `errors`."""
        return sum_up(self.connection, self.table_name(table), attribute)

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
            # Others may be at work on the same items: that is what the run is to measure.
            if failure.sqlstate not in (errors.CONFLICT, errors.THROTTLED):
                raise self.explain(failure) from None

    def explain_answer(self, failure: StatementFailed) -> TargetError:
        """One line for an error that DynamoDB answered."""
        remedy = _REMEDIES.get(failure.sqlstate, "check what was asked for")
        return TargetError(f"{self.called} refuses: {failure.message}; {remedy}")

    def server_id(self) -> str:
        """The endpoint."""
        return str(self.client.meta.endpoint_url)


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
