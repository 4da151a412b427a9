"""A Lambda function that does the transaction where it runs.

It is called as the published reference kit calls its own: `payer_id`, `payee_id` and `amount` in;
`balance`, `duration` (ms) and `retries` out, or `error` and `errorCode`, a SQLSTATE. The function
tries again by itself; with `retry=caller` it is asked to try once (`max_attempts`: 1) and the run's
own policy decides.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from loadtest.errors import InputError, TargetError
from loadtest.errors.typed import whole_of
from loadtest.targets.aws.connection import HttpConnection
from loadtest.targets.aws.target import AwsTarget
from loadtest.targets.aws_lambda.answers import (
    ENVELOPE,
    FUNCTION_FAILED,
    NO_SUCH_ACCOUNT,
    NO_SUCH_FUNCTION,
    THROTTLED,
    ServiceFailed,
)
from loadtest.targets.aws_lambda.session import LambdaSession, invoke, invoke_request
from loadtest.targets.base.calls import CallTarget, Declared
from loadtest.targets.base.dialect import Statement
from loadtest.targets.base.table import Invariant, Standing
from loadtest.targets.base.target import StatementFailed, Target, TargetSpec
from loadtest.targets.registry import open_target, parse_target
from loadtest.targets.url import choice, said_option

_REHEARSAL_PAUSES_S = (0.3, 0.6, 1.2)


class LambdaTarget(AwsTarget, CallTarget):
    """`lambda://<region>/<function>[:qualifier]?database=URL`."""

    family: ClassVar[str] = "lambda"
    # Longer than a transfer may take; a function may be allowed to run for 15 minutes.
    answer_timeout_s: ClassVar[float] = 60.0

    # A name, or an ARN of any length that Lambda takes for one; then, perhaps, a version or an alias.
    address_pattern: ClassVar[re.Pattern[str]] = re.compile(
        r"(?P<region>[a-z0-9-]+)/(?P<function>"
        r"(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?(?:\d{12}:)?(?:function:)?"
        r"[A-Za-z0-9_-]+(?::(?:\$LATEST|[A-Za-z0-9_-]+))?)"
    )
    address_help: ClassVar[str] = (
        "a Region and a function's name are needed, as in lambda://us-east-1/transfer or "
        "lambda://us-east-1/transfer:live"
    )
    known_options: ClassVar[tuple[str, ...]] = (
        "database", "accounts", "key_seed", "balance", "retry",
    )  # fmt: skip
    options_help: ClassVar[str] = ", and the value of database= must be percent-encoded"

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        self.function = self.address["function"]
        self.retry = choice(spec, "retry", ("function", "caller"))
        """Which of them tries again after a conflict."""
        self.database = self._open_database()
        self.declared = self._read_declared()
        if (self.database is None) == (self.declared is None):
            raise InputError(
                f"{self.called}: say what is behind the function, either database=URL "
                "(percent-encoded), which is then seeded and checked, or accounts=N if it cannot be "
                "reached from here"
            )
        self._request = invoke_request(self.function)
        self._version: str | None = None

    def _open_database(self) -> Target | None:
        if (text := self.spec.options.get("database")) is None:
            return None
        try:
            database = parse_target(text, self.spec.sslrootcert)
        except InputError as error:
            raise InputError(f"{self.called}, in database=: {error}") from None
        if database.family == self.family:
            raise InputError(f"{self.called}: database= names a function; name the database behind it")
        return open_target(replace(database, name=f"{self.name}'s database"))

    def _read_declared(self) -> Declared | None:
        accounts, key_seed = self._whole("accounts", 2), self._whole("key_seed", 0)
        balance = self._whole("balance", 0)
        if accounts is not None:
            return Declared(accounts, 1 if key_seed is None else key_seed, balance)
        if key_seed is not None or balance is not None:
            raise InputError(f"{self.called}: key_seed= and balance= go with accounts= only")
        return None

    def _whole(self, name: str, least: int) -> int | None:
        if (text := self.spec.options.get(name)) is None:
            return None
        number = whole_of(text)
        if number is None or not least <= number < 2**63:
            said = said_option(self.spec, name)
            raise InputError(f"{self.called}: {said} is not a whole number from {least} on")
        return number

    def start(self) -> None:
        """Ask the function, and make sure of its database."""
        super().start()
        with self._asking_database() as database:
            if database is not None:
                database.start()

    def ask(self, connection: HttpConnection) -> None:
        """Ask whether the function may be called, without calling it."""
        dry_run = invoke_request(self.function, {"X-Amz-Invocation-Type": "DryRun"})
        headers = invoke(connection, dry_run, b"{}").headers
        self._version = headers.get("x-amz-executed-version")

    def open_session(self, statements: Sequence[Statement]) -> LambdaSession:  # noqa: ARG002
        """A session for one user, on a connection of its own."""
        return LambdaSession(self.connect(), self._request, retry_here=self.retry == "caller")

    def describe(self) -> dict[str, Any]:
        """The function, and what is known of the database behind it."""
        with self._asking_database() as database:
            behind = {} if database is None else database.describe()
        return {
            "name": self.name,
            "url": self.spec.shown,
            "family": self.family,
            "version": self._version,
            **{name: behind.get(name) for name in ("regime", "isolation", "durable")},
            "database": behind.get("url"),
            "retry": self.retry,
        }

    def check(self, invariant: Invariant) -> Standing:
        """Ask the database behind the function."""
        with self._asking_database() as database:
            if database is None:
                raise TargetError(
                    f"{self.called}: only the function reaches its database; check with "
                    "database=URL in the target, from where that can be reached"
                )
            return database.check(invariant)

    def settle(self, table: str) -> None:
        """What the database behind the function wants."""
        with self._asking_database() as database:
            if database is not None:
                database.settle(table)

    def server_id(self) -> str:
        """Endpoint and function: its concurrency is what two targets would share."""
        where = self.endpoint_url or self.address["region"]
        return f"{where}/{self.function}"

    def notes_folder(self, server_id: str | None = None) -> Path:
        """With the database that the function works on, where it is named."""
        database = self.database
        return super().notes_folder(server_id) if database is None else database.notes_folder()

    def rehearse(
        self,
        statements: Sequence[Statement],
        attempt: Callable[[Any], object],
    ) -> None:
        """Call the function with amount 0: balances are written, and stay what they were.

        A function whose table is missing, or that cannot reach its database, shows here.
        """
        for pause_s in (*_REHEARSAL_PAUSES_S, None):
            try:
                with closing(self.open_session(statements)) as session:
                    attempt(_Rehearsal(session))
                return
            except StatementFailed as failure:
                # Others may be at work on the same rows: that is what the run is to measure.
                if failure.sqlstate.startswith("40"):
                    return
                if not _is_throttled(failure) or pause_s is None:
                    raise self.explain(failure) from None
                sleep(pause_s)

    def explain_answer(self, failure: StatementFailed) -> TargetError:
        """One line for an error that Lambda or the function answered."""
        state, message = failure.sqlstate, failure.message
        declared = self.declared
        if isinstance(failure, ServiceFailed) and state not in (THROTTLED, NO_SUCH_FUNCTION):
            answered = {"Error": {"Code": failure.kind, "Message": failure.words}}
            return self.explain(ClientError(answered, "Invoke"))
        shown = message if state == FUNCTION_FAILED else f"{message} ({state})"
        what = f" fails when it is called: {shown}"
        remedy = "check its log, its table and its way to the database"
        if _is_throttled(failure):
            what = f" is throttled: {message}"
            remedy = "check the function's reserved concurrency and the account's limit"
        elif isinstance(failure, ServiceFailed):
            what = f": there is no function {self.function} in {self.address['region']}"
            remedy = (
                "check its name and qualifier, the Region, and the account that the credentials belong "
                "to"
            )
        elif state == NO_SUCH_ACCOUNT and declared is not None:
            what = f" knows other accounts than those asked for: {shown}"
            remedy = (
                f"check accounts= and key_seed= in the target, here {declared.accounts} and "
                f"{declared.key_seed}: they must be what its table was seeded with"
            )
        elif message == ENVELOPE:
            what = f" cannot be used as it is: {message}"
            remedy = (
                "where it is invoked and not called over HTTP it must return what is in body, as an "
                "object with balance or error"
            )
        return TargetError(f"{self.called}{what}; {remedy}")

    @contextmanager
    def _asking_database(self) -> Iterator[Target | None]:
        """The database, if it is named; what its driver raises comes in one line that names it."""
        database = self.database
        if database is None:
            yield None
            return
        try:
            yield database
        except database.errors as error:
            raise database.explain(error) from None


def _is_throttled(failure: StatementFailed) -> bool:
    """Turned away by Lambda; its function may say the same of its database, which is another thing."""
    return isinstance(failure, ServiceFailed) and failure.sqlstate == THROTTLED


class _Rehearsal:
    """A session whose transfers move nothing."""

    def __init__(self, session: LambdaSession) -> None:
        self._session = session

    def call(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._session.call({**payload, "amount": 0})
