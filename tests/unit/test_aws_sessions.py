"""What DynamoDB's and Lambda's sessions make of credentials that cannot be renewed during a run."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import ClientError

from loadtest.targets import StatementFailed
from loadtest.targets.aws.connection import HttpConnection
from loadtest.targets.aws.endpoint import HttpEndpoint
from loadtest.targets.aws.signing import Signer
from loadtest.targets.aws_lambda.session import LambdaSession, invoke_request
from loadtest.targets.base.items import Change
from loadtest.targets.dynamodb.session import DynamoSession

SECRET = "hunter2"
KEYS = (bytes(8), b"\1" * 8)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as opened:
        opened.settimeout(5)
        yield opened


def endpoint(listener: socket.socket, why: Exception) -> HttpEndpoint:
    """Whose credentials end soon, and cannot be renewed."""

    def renew() -> dict[str, str]:
        raise why

    credentials = RefreshableCredentials(
        "KEY", SECRET, SECRET, datetime.now(UTC) + timedelta(minutes=1), renew, "test"
    )
    signer = Signer(credentials, service="s", region="us-east-1", host="x")
    return HttpEndpoint("127.0.0.1", listener.getsockname()[1], None, signer, timeout_s=5)


def connected(where: HttpEndpoint) -> HttpConnection:
    connection = HttpConnection(where)
    connection.connect()
    return connection


def dynamodb(where: HttpEndpoint) -> Callable[[], object]:
    session = DynamoSession(connected(where), optimistic=False, prefix="")
    return lambda: session.write([Change("accounts_int", key, 1) for key in KEYS])


def function(where: HttpEndpoint) -> Callable[[], object]:
    session = LambdaSession(connected(where), invoke_request("f"), retry_here=False)
    return lambda: session.call({})


@pytest.mark.parametrize("open_one", [dynamodb, function])
@pytest.mark.parametrize(
    "why",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "not your role"}}, "AssumeRole"),
        RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired."),
    ],
)
def test_nothing_is_sent_without_a_signature(
    listener: socket.socket, open_one: Callable[[HttpEndpoint], Callable[[], object]], why: Exception
) -> None:
    transfer = open_one(endpoint(listener, why))
    for _ in range(2):
        with pytest.raises(StatementFailed) as caught:
            transfer()
        failure = caught.value
        assert SECRET not in failure.message
        assert failure.sqlstate == "28000"
        assert not failure.commit_sent
        assert not failure.connected, "the user is to wait, and to open another session"
    connection, _ = listener.accept()
    with connection:
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
