"""`python -m tests.bench.dynamodb`: what a transfer costs the generator, by boto3's call and by ours.

32 users under gevent send transfers to a server in a process of its own that answers at once and
always the same, so that what is measured is the generator alone. boto3's client has a connection for
each user and its retries off, as it has in the target.
"""

# Before anything else: the standard library must be cooperative for all that is imported after it.
from gevent import monkey

monkey.patch_all()

import socket  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from time import monotonic, process_time  # noqa: E402

import boto3  # noqa: E402
import gevent  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from gevent.server import StreamServer  # noqa: E402

from loadtest.targets.aws.connection import HttpConnection  # noqa: E402
from loadtest.targets.aws.endpoint import HttpEndpoint  # noqa: E402
from loadtest.targets.aws.signing import Signer  # noqa: E402
from loadtest.targets.base.items import Change  # noqa: E402
from loadtest.targets.dynamodb.session import DynamoSession  # noqa: E402

USERS = 32
SECONDS = 5.0
_WARM_UP_S = 1.0
_TABLE, _REGION = "accounts_uuid", "us-east-1"
_PAYER, _PAYEE = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
_BODY = b'{"ConsumedCapacity":[{"TableName":"accounts_uuid","CapacityUnits":4.0}]}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Sat, 31 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nConnection: keep-alive\r\n"
    b"x-amzn-RequestId: 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEF\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)

Transfer = Callable[[], object]


def serve() -> None:
    """Answer every request the same, until the input ends; prints the port."""

    def answer(connection: socket.socket, _: object) -> None:
        data = b""
        while True:
            head, end, rest = data.partition(b"\r\n\r\n")
            if end:
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                if len(rest) >= length:
                    data = rest[length:]
                    connection.sendall(_ANSWER)
                    continue
            piece = connection.recv(65_536)
            if not piece:
                return
            data += piece

    server = StreamServer(("127.0.0.1", 0), answer)
    server.start()
    print(server.server_port, flush=True)
    gevent.get_hub().threadpool.apply(sys.stdin.read)


@contextmanager
def answering() -> Iterator[int]:
    """The server, in a process of its own; gives its port."""
    command = [sys.executable, "-m", "tests.bench.dynamodb", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def with_boto3(port: int) -> Callable[[], Transfer]:
    """boto3's client, one for all users, with a connection for each."""
    client = boto3.client(
        "dynamodb",
        region_name=_REGION,
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="AKIAOCCBENCHBENCH",
        aws_secret_access_key="made-up",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=USERS),
    )

    def update(key: str, amount: int, condition: str, **values: int) -> dict[str, object]:
        return {
            "Update": {
                "TableName": _TABLE,
                "Key": {"id": {"S": key}},
                "UpdateExpression": "SET balance = balance + :a, version = version + :o",
                "ConditionExpression": "attribute_exists(id)" + condition,
                "ExpressionAttributeValues": {
                    f":{name}": {"N": str(value)}
                    for name, value in {"a": amount, "o": 1, **values}.items()
                },
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def transfer() -> object:
        return client.transact_write_items(
            TransactItems=[update(_PAYER, -7, " AND balance >= :m", m=7), update(_PAYEE, 7, "")],
            ReturnConsumedCapacity="TOTAL",
        )

    return lambda: transfer


def with_sessions(port: int) -> Callable[[], Transfer]:
    """The target's own sessions."""
    credentials = Credentials("AKIAOCCBENCHBENCH", "made-up")
    signer = Signer(credentials, service="dynamodb", region=_REGION, host=f"127.0.0.1:{port}")
    endpoint = HttpEndpoint("127.0.0.1", port, None, signer, timeout_s=30)
    payer, payee = (bytes.fromhex(key.replace("-", "")) for key in (_PAYER, _PAYEE))

    def open_one() -> Transfer:
        session = DynamoSession(HttpConnection(endpoint), optimistic=False, prefix="")

        def transfer() -> None:
            session.begin()
            session.write((Change(_TABLE, payer, -7, at_least=7), Change(_TABLE, payee, 7)))

        return transfer

    return open_one


def measure(open_one: Callable[[], Transfer]) -> tuple[float, float]:
    """(transfers a second, µs of this process's CPU for each) with USERS users."""
    transfers = [open_one() for _ in range(USERS)]
    counts = [0] * USERS

    def user(number: int, until: float) -> None:
        transfer = transfers[number]
        while monotonic() < until:
            transfer()
            counts[number] += 1

    def run(seconds: float) -> None:
        until = monotonic() + seconds
        gevent.joinall([gevent.spawn(user, n, until) for n in range(USERS)], raise_error=True)

    run(_WARM_UP_S)
    counts[:] = [0] * USERS
    cpu, clock = process_time(), monotonic()
    run(SECONDS)
    cpu, clock = process_time() - cpu, monotonic() - clock
    return sum(counts) / clock, cpu / sum(counts) * 1e6


def main() -> None:
    """Measure both, and print."""
    with answering() as port:
        for name, make in (("boto3's client", with_boto3), ("own sessions", with_sessions)):
            rate, cpu_us = measure(make(port))
            print(f"{name:<16} {rate:>8,.0f} transfers/s {cpu_us:>6,.0f} µs of CPU each")


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
