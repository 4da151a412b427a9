"""What the targets that are services of AWS have in common: load goes over signed HTTP."""

import re
from abc import abstractmethod
from contextlib import closing
from typing import Any, ClassVar
from urllib.parse import unquote

from loadtest.errors import InputError, TargetError
from loadtest.targets.aws import clients
from loadtest.targets.aws.connection import AnswerLost, HttpConnection, NotSent
from loadtest.targets.aws.endpoint import HttpEndpoint, Once, find_endpoint
from loadtest.targets.aws.errors import CHECK_NETWORK, ERRORS, no_credentials, target_error
from loadtest.targets.base.target import StatementFailed, Target, TargetSpec
from loadtest.targets.url import check_endpoint, check_options


class AwsTarget(Target):
    """One service in one Region, or an endpoint that speaks like it."""

    errors: ClassVar[tuple[type[Exception], ...]] = ERRORS
    address_pattern: ClassVar[re.Pattern[str]]
    """What stands behind `://`, percent-decoded; its group `region` is the Region."""
    address_help: ClassVar[str]
    """What is said where that is not so."""
    known_options: ClassVar[tuple[str, ...]]
    options_help: ClassVar[str] = ""
    """What is added where an option is not known."""
    answer_timeout_s: ClassVar[float]
    """How long an answer to a request is waited for."""

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        behind = spec.url.partition("://")[2].partition("?")[0]
        match = self.address_pattern.fullmatch(unquote(behind))
        if match is None:
            raise InputError(f"{self.called}: {self.address_help}")
        check_options(spec, ("profile", "endpoint_url", *self.known_options), self.options_help)
        self.address = match.groupdict()
        """The groups of `address_pattern`."""
        self.profile = spec.options.get("profile") or None
        self.endpoint_url = check_endpoint(spec, self.called)
        self._endpoint = Once(self._find_endpoint)

    @property
    def client(self) -> Any:
        """boto3's client, for everything but load; raises one of `errors`."""
        return clients.client(
            self.family,
            self.address["region"],
            self.profile,
            self.endpoint_url,
            # Load is never repeated unseen; this is not load.
            attempts=3,
            sslrootcert=self.spec.sslrootcert,
            connect_timeout=5,
            read_timeout=self.answer_timeout_s,
        )

    def _find_endpoint(self) -> HttpEndpoint:
        return find_endpoint(
            self.client,
            profile=self.profile,
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
