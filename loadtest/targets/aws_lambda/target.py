"""A Lambda function that does the transaction where it runs.

It is called as the published reference kit calls its own: `payer_id`, `payee_id` and `amount` in;
`balance`, `duration` (ms) and `retries` out, or `error` and `errorCode`, a SQLSTATE. The function
tries again by itself; with `retry=caller` it is asked to try once (`max_attempts`: 1) and the run's
own policy decides.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic_ns, sleep
from typing import Any, ClassVar
from urllib.parse import quote

from botocore.exceptions import ClientError

from loadtest.errors import TargetError
from loadtest.targets.aws import clients
from loadtest.targets.aws.connection import Answer, Lost, NotSent, Wire
from loadtest.targets.aws.endpoint import Endpoint, FoundOnce, find_endpoint
from loadtest.targets.aws.signing import Operation
from loadtest.targets.aws_lambda.address import LambdaAddress
from loadtest.targets.aws_lambda.answers import (
    ENVELOPE,
    FUNCTION_FAILED,
    NO_SUCH_ACCOUNT,
    NO_SUCH_FUNCTION,
    THROTTLED,
    WRONG_CREDENTIALS,
    NotReached,
    ServiceFailed,
    answered_error,
    function_failed,
    read_answer,
    remote_of,
    service_failed,
)
from loadtest.targets.base.calls import CallTarget, Declared
from loadtest.targets.base.dialect import Statement
from loadtest.targets.base.table import Invariant, Standing
from loadtest.targets.base.target import ABSENT, StatementFailed, Target, TargetSpec
from loadtest.targets.registry import open_target

# Longer than a transfer may take; a function may be allowed to run for 15 minutes.
_ANSWER_TIMEOUT_S = 60.0
_REHEARSAL_PAUSES_S = (0.3, 0.6, 1.2)


class LambdaTarget(CallTarget):
    """`lambda://<region>/<function>[:qualifier]?database=URL`."""

    family: ClassVar[str] = "lambda"
    errors: ClassVar[tuple[type[Exception], ...]] = clients.ERRORS

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        self._address = LambdaAddress.of(spec)
        behind = self._address.database
        self._database = None if behind is None else open_target(behind)
        self._endpoint = FoundOnce(self._find_endpoint)
        self._call = _invoke(self._address.function)
        self._dry_run = _invoke(self._address.function, {"X-Amz-Invocation-Type": "DryRun"})
        self._version: str | None = None

    @property
    def database(self) -> Target | None:
        """The target that `database=` names."""
        return self._database

    @property
    def declared(self) -> Declared | None:
        """What `accounts=` and its like say."""
        return self._address.declared

    def start(self) -> None:
        """Ask whether the function may be called, without calling it; the same of its database."""
        connection = self._connect()
        try:
            answer = connection.ask(self._dry_run, b"{}")
        except StatementFailed as failure:
            raise self.explain_failed(failure) from None
        finally:
            connection.close()
        self._version = answer.headers.get("x-amz-executed-version")
        if self._database is not None:
            with self._asking_database(self._database):
                self._database.start()

    def warm(self) -> None:
        """Find endpoint and credentials."""
        self._endpoint.get()

    def open_session(self, statements: Sequence[Statement]) -> "LambdaSession":  # noqa: ARG002
        """A session for one user, on a connection of its own."""
        try:
            endpoint = self._endpoint.get()
        except clients.ERRORS as error:
            raise StatementFailed(
                WRONG_CREDENTIALS, clients.explain(error)[0], commit_sent=False, connected=False
            ) from None
        return LambdaSession(_Calling(endpoint), self._call, retry_here=self._address.retry == "caller")

    def describe(self) -> dict[str, Any]:
        """The function, and what is known of the database behind it."""
        behind: dict[str, Any] = {}
        if self._database is not None:
            with self._asking_database(self._database):
                behind = self._database.describe()
        known = ("regime", "isolation", "durable")
        return {
            "name": self.name,
            "url": self.spec.shown,
            "family": self.family,
            "version": self._version,
            **{name: behind.get(name) for name in known},
            "database": behind.get("url"),
            "retry": self._address.retry,
        }

    def check(self, invariant: Invariant) -> Standing:
        """Ask the database behind the function."""
        if self._database is None:
            raise TargetError(
                f"{self.called}: only the function reaches its database; check with "
                "database=URL in the target, from where that can be reached"
            )
        with self._asking_database(self._database):
            return self._database.check(invariant)

    def settle(self, table: str) -> None:
        """Whatever the database behind the function wants."""
        if self._database is not None:
            with self._asking_database(self._database):
                self._database.settle(table)

    def server_id(self) -> str:
        """Endpoint and function: its concurrency is what two targets would share."""
        where = self._address.endpoint_url or self._address.region
        return f"{where}/{self._address.function}"

    def notes_folder(self, server_id: str | None = None) -> Path:
        """With the database that the function works on, where it is named."""
        return (
            super().notes_folder(server_id) if self._database is None else self._database.notes_folder()
        )

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
                session = self.open_session(statements)
                try:
                    attempt(_Rehearsal(session))
                finally:
                    session.close()
            except StatementFailed as failure:
                # Somebody else may be at work on the same rows: that is what the run is to measure.
                if failure.sqlstate.startswith("40"):
                    return
                if not _is_throttled(failure) or pause_s is None:
                    raise self.explain_failed(failure) from None
                sleep(pause_s)
            else:
                return

    def explain(self, error: Exception) -> TargetError:
        """One line for what botocore raised."""
        cause, remedy = clients.explain(error)
        return TargetError(f"{self.called}: {cause}; {remedy}")

    def explain_failed(self, failure: StatementFailed) -> TargetError:
        """One line for what a session raised."""
        state, message = failure.sqlstate, failure.message
        if isinstance(failure, NotReached):
            return TargetError(
                f"{self.called} cannot be reached: {message}; check the Region, the network, and "
                "endpoint_url= where there is one"
            )
        if _is_throttled(failure):
            return TargetError(
                f"{self.called} is throttled: {message}; check the function's reserved concurrency "
                "and the account's limit"
            )
        if isinstance(failure, ServiceFailed):
            if state == NO_SUCH_FUNCTION:
                return TargetError(
                    f"{self.called}: there is no function {self._address.function} in "
                    f"{self._address.region}; check its name and qualifier, the Region, and the "
                    "account that the credentials belong to"
                )
            answered = {"Error": {"Code": failure.kind, "Message": failure.words}}
            return self.explain(ClientError(answered, "Invoke"))
        if state == NO_SUCH_ACCOUNT and (declared := self.declared) is not None:
            return TargetError(
                f"{self.called} knows other accounts than those asked for: {message} ({state}); check "
                f"accounts= and key_seed= in the target, here {declared.accounts} and "
                f"{declared.key_seed}: they must be what its table was seeded with"
            )
        if message == ENVELOPE:
            return TargetError(
                f"{self.called} cannot be used as it is: {message}; where it is invoked and not called "
                "over HTTP it must return what is in body, as an object with balance or error"
            )
        said = message if state == FUNCTION_FAILED else f"{message} ({state})"
        return TargetError(
            f"{self.called} fails when it is called: {said}; check its log, its table and its way to "
            "the database"
        )

    def _connect(self) -> "_Calling":
        try:
            return _Calling(self._endpoint.get())
        except clients.ERRORS as error:
            raise self.explain(error) from None
        except StatementFailed as failure:
            raise self.explain_failed(failure) from None

    def _find_endpoint(self) -> Endpoint:
        at = self._address
        return find_endpoint(
            clients.client("lambda", at.region, at.profile, at.endpoint_url),
            profile=at.profile,
            sslrootcert=self.spec.sslrootcert,
            timeout_s=_ANSWER_TIMEOUT_S,
        )

    @contextmanager
    def _asking_database(self, database: Target) -> Iterator[None]:
        """What the driver of the database raises, in one line that names it."""
        try:
            yield
        except database.errors as error:
            raise database.explain(error) from None


def _invoke(function: str, more: Mapping[str, str] | None = None) -> Operation:
    """Lambda's Invoke of this function, with `more` headers."""
    # Every character that is not plain: a version's colon, an ARN's, the $ of $LATEST.
    path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
    return Operation("Invoke", path, {"Content-Type": "application/json", **(more or {})})


class _Calling:
    """Lambda's Invoke on one connection: what failed there comes as StatementFailed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._wire = Wire(endpoint)
        try:
            self._wire.connect()
        except NotSent as why:
            raise NotReached(str(why), sent=False) from None

    def ask(self, invoke: Operation, body: bytes) -> Answer:
        """One request; the answer is the function's, or that of a dry run."""
        try:
            answer = self._wire.post(invoke, body)
        except NotSent as why:
            raise NotReached(str(why), sent=False) from None
        except Lost as why:
            raise NotReached(str(why), sent=True) from None
        except clients.ERRORS as error:
            # As if there were no connection: who tries again at once would keep all others waiting.
            raise StatementFailed(
                WRONG_CREDENTIALS, clients.explain(error)[0], commit_sent=False, connected=False
            ) from None
        if answer.status >= 300:
            raise service_failed(answer.status, answer.headers.get("x-amzn-errortype", ""), answer.body)
        if "x-amz-function-error" in answer.headers:
            raise function_failed(answer.body)
        return answer

    def close(self) -> None:
        self._wire.close()


class LambdaSession:
    """One user's way to the function; see `calls.CallSession`.

    Nothing of its transaction is to be seen from outside: all moments but the end stay 0.
    """

    def __init__(self, calling: _Calling, invoke: Operation, *, retry_here: bool) -> None:
        self.begin_answered_ns = self.first_answered_ns = 0
        self.commit_sent_ns = self.ended_ns = 0
        self.closed = False
        self.remote = ABSENT
        self._retry_here = retry_here
        self._calling, self._invoke = calling, invoke

    def call(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call the function and return its answer; raises StatementFailed where it failed."""
        self.remote = ABSENT
        if self._retry_here:
            payload = {**payload, "max_attempts": 1}
        body = json.dumps(payload).encode()
        sent_ns = monotonic_ns()
        try:
            answer = read_answer(self._calling.ask(self._invoke, body).body)
        except StatementFailed:
            raise
        except BaseException:
            # Stopped while it waited: the function may have done it.
            self.commit_sent_ns = sent_ns
            raise
        finally:
            self.ended_ns = monotonic_ns()
        self.remote = remote_of(answer)
        failure = answered_error(answer, final=not self._retry_here)
        if failure is not None:
            raise failure
        return answer

    def rollback(self) -> None:
        """There is nothing to take back: the function has ended its transaction."""

    def close(self) -> None:
        """Close the connection; never raises."""
        self.closed = True
        self._calling.close()


def _is_throttled(failure: StatementFailed) -> bool:
    """Turned away by Lambda; its function may say the same of its database, which is another thing."""
    return isinstance(failure, ServiceFailed) and failure.sqlstate == THROTTLED


class _Rehearsal:
    """A session whose transfers move nothing."""

    def __init__(self, session: LambdaSession) -> None:
        self._session = session

    def call(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._session.call({**payload, "amount": 0})
