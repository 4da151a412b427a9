"""What the targets that are services of AWS have in common: load goes over signed HTTP."""

from abc import abstractmethod
from contextlib import closing
from typing import Any, ClassVar

from loadtest.errors import TargetError
from loadtest.targets.aws.connection import AnswerLost, HttpConnection, NotSent
from loadtest.targets.aws.endpoint import HttpEndpoint, Once, find_endpoint
from loadtest.targets.aws.errors import CHECK_NETWORK, ERRORS, no_credentials, target_error
from loadtest.targets.base.target import StatementFailed, Target, TargetSpec


class AwsTarget(Target):
    """One service in one Region, or an endpoint that speaks like it."""

    errors: ClassVar[tuple[type[Exception], ...]] = ERRORS
    answer_timeout_s: ClassVar[float]
    """How long an answer to a request is waited for."""

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        self._endpoint = Once(self._find_endpoint)

    @property
    @abstractmethod
    def client(self) -> Any:
        """boto3's client, for everything but load; raises one of `errors`."""

    def _find_endpoint(self) -> HttpEndpoint:
        return find_endpoint(
            self.client,
            profile=self.spec.options.get("profile") or None,
            sslrootcert=self.spec.sslrootcert,
            timeout_s=self.answer_timeout_s,
        )

    def start(self) -> None:
        """Find credentials, connect and ask once, so that what is wrong shows before any load."""
        try:
            self.warm()
            with closing(self.connect()) as connection:
                self.ask(connection)
        except StatementFailed as failure:
            raise self.explain(failure) from None
        except ERRORS as error:
            raise self.explain(error) from None

    @abstractmethod
    def ask(self, connection: HttpConnection) -> None:
        """Ask something without any effect; raises StatementFailed or one of `errors`."""

    def warm(self) -> None:
        """Find endpoint and credentials."""
        self._endpoint.get()

    def connection(self) -> HttpConnection:
        """A connection for one user or one thread, not open yet.

        Raises InputError, and one of `errors` where there are no credentials.
        """
        return HttpConnection(self._endpoint.get())

    def connect(self) -> HttpConnection:
        """An open connection for one user; raises StatementFailed."""
        try:
            connection = self.connection()
        except ERRORS as error:
            raise no_credentials(error) from None
        connection.connect()
        return connection

    def explain(self, error: Exception) -> TargetError:
        """One line for what boto3 or a session raised."""
        if isinstance(error, NotSent | AnswerLost):
            return TargetError(f"{self.called} cannot be reached: {error.message}; {CHECK_NETWORK}")
        if isinstance(error, StatementFailed):
            return self.explain_answer(error)
        return target_error(self.called, error)

    @abstractmethod
    def explain_answer(self, failure: StatementFailed) -> TargetError:
        """One line for an error that the service answered."""
