"""The transfer as a Lambda function: the same statements and the same retries as the tool's own.

In: `{"payer_id", "payee_id", "amount"}`, and perhaps `max_attempts`. Out: `{"balance", "duration",
"retries"}`, the payer's balance and milliseconds; or `{"error", "errorCode", "duration", "retries"}`.
Integer ids are rows of `accounts_int`, UUIDs of `accounts_uuid`, those of version 7 of
`accounts_uuid7`.

Settings are environment variables: OCC_DATABASE (an Aurora DSQL endpoint, or what libpq takes),
OCC_RETRY, OCC_MAX_ATTEMPTS, OCC_RETRY_BASE_MS, OCC_RETRY_CAP_MS (as `occbench run`'s options of these
names), OCC_CONNECTION_AGE_S.
"""

import os
import random
import re
import time
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl
from uuid import RFC_4122, UUID

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8

from loadtest.record.outcome import RETRYABLE, Outcome, outcome_of
from loadtest.workload.retry import RetryPolicy

BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"
DEBIT = "UPDATE {table} SET balance = balance - $1 WHERE id = $2 RETURNING balance"
CREDIT = "UPDATE {table} SET balance = balance + $1 WHERE id = $2"

INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
WRONG_INPUT = "22023"
NO_SUCH_ACCOUNT = "P0002"
CANNOT_CONNECT = "08001"
LOST_BEFORE_COMMIT = "08003"
LOST_AFTER_COMMIT = "08007"

DEFAULTS = {
    "OCC_RETRY": "full-jitter",
    "OCC_MAX_ATTEMPTS": "10",
    "OCC_RETRY_BASE_MS": "5",
    "OCC_RETRY_CAP_MS": "1000",
    # Aurora DSQL closes a session after an hour.
    "OCC_CONNECTION_AGE_S": "2700",
}

Connection = psycopg.Connection[tuple[Any, ...]]
Key = Int8 | UUID
_DSQL = re.compile(
    r"(?:dsql://)?([a-z0-9-]+\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws)(?::(\d+))?/?(?:\?(.*))?"
)
"""Host, Region, port and options of an Aurora DSQL endpoint."""


class Failed(Exception):  # noqa: N818 - how an attempt ended, not a bug
    """An attempt that did not commit: what to answer, and whether it may be tried again."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable


class Database:
    """The connection of this execution environment, kept from one invocation to the next."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._too_old = 0.0

    def connection(self) -> Connection:
        """The connection that is open, or another one if it is lost or too old; raises Failed."""
        if self._connection is None or time.monotonic() > self._too_old:
            self.close()
            self._connection = _connect()
            self._too_old = time.monotonic() + float(_setting("OCC_CONNECTION_AGE_S"))
        return self._connection

    def close(self) -> None:
        """Close it; the next attempt opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_database = Database()


def handler(event: Mapping[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001
    """Do one transfer, trying again as the policy says."""
    began = time.perf_counter()
    retries, waited_s = 0, 0.0
    try:
        transfer, policy = _transfer(event), _policy(event)
        while True:
            try:
                answer: dict[str, Any] = {"balance": attempt(*transfer)}
                break
            except Failed as failure:
                wait_s = None
                if failure.retryable:
                    wait_s = policy.wait_after(retries + 1, waited_s, random.random())  # noqa: S311
                if wait_s is None:
                    raise
            time.sleep(wait_s)
            waited_s = wait_s
            retries += 1
    except Failed as failure:
        answer = {"error": str(failure), "errorCode": failure.code}
    duration = round((time.perf_counter() - began) * 1e3, 3)
    return {**answer, "duration": duration, "retries": retries}


def _transfer(event: Mapping[str, Any]) -> tuple[str, Key, Key, Decimal]:
    """Table, payer, payee and amount of a payload; raises Failed that says what is wrong with it."""
    try:
        payer, payee = _key(event["payer_id"]), _key(event["payee_id"])
        amount = Decimal(str(event["amount"]))
    except (KeyError, TypeError, ValueError, InvalidOperation):
        raise Failed(
            WRONG_INPUT, "payer_id and payee_id (whole numbers or UUIDs) and amount are needed"
        ) from None
    if type(payer) is not type(payee) or not amount.is_finite() or amount < 0:
        raise Failed(WRONG_INPUT, "the ids must be of one type, and the amount not below zero")
    if isinstance(payer, int):
        return "accounts_int", payer, payee, amount
    ordered = payer.variant == RFC_4122 and payer.version == 7
    return "accounts_uuid7" if ordered else "accounts_uuid", payer, payee, amount


def _key(value: object) -> Key:
    if isinstance(value, int) and not isinstance(value, bool):
        return Int8(value)
    return UUID(str(value))


def attempt(table: str, payer: Key, payee: Key, amount: Decimal) -> int | float:
    """Try once, BEGIN to COMMIT; returns the payer's balance, raises Failed."""
    connection = _database.connection()
    commit_sent = False
    try:
        connection.execute(BEGIN)
        debit, credit = (statement.format(table=table).encode() for statement in (DEBIT, CREDIT))
        row = connection.execute(debit, (amount, payer), prepare=True).fetchone()
        if row is None:
            raise Failed(NO_SUCH_ACCOUNT, "the payer has no account")
        balance: Decimal = row[0]
        if balance < 0:
            raise Failed(INSUFFICIENT_FUNDS, "the payer has not enough")
        if connection.execute(credit, (amount, payee), prepare=True).rowcount != 1:
            raise Failed(NO_SUCH_ACCOUNT, "the payee has no account")
        commit_sent = True
        connection.execute("COMMIT")
    except psycopg.Error as error:
        raise _failed(error, connection, commit_sent=commit_sent) from None
    finally:
        _leave_idle(connection)
    return int(balance) if balance == balance.to_integral_value() else float(balance)


def _failed(error: psycopg.Error, connection: Connection, *, commit_sent: bool) -> Failed:
    """What a statement's error means, by the same rule as in the tool."""
    message = _first_line(error)
    outcome = outcome_of(
        error.sqlstate or "", message, commit_sent=commit_sent, connected=not connection.closed
    )
    code = error.sqlstate or "XX000"
    if outcome is Outcome.AMBIGUOUS:
        code = LOST_AFTER_COMMIT
    elif outcome is Outcome.CONNECTION_LOST:
        code = LOST_BEFORE_COMMIT
    return Failed(code, message, retryable=outcome in RETRYABLE)


def _leave_idle(connection: Connection) -> None:
    """Take back what is open, so that the next transfer finds the connection free, or another one."""
    try:
        if connection.info.transaction_status != TransactionStatus.IDLE:
            connection.execute("ROLLBACK")
    except psycopg.Error:
        _database.close()


def _connect() -> Connection:
    try:
        return psycopg.connect(
            conninfo(os.environ.get("OCC_DATABASE", "")),
            autocommit=True,
            connect_timeout=5,
            cursor_factory=psycopg.RawCursor,
        )
    except psycopg.ProgrammingError:
        # Its text would quote the setting, and a password with it.
        raise Failed(WRONG_INPUT, "libpq cannot read OCC_DATABASE") from None
    except psycopg.Error as error:
        rejected = error.sqlstate in ("53300", "53400")
        raise Failed(error.sqlstate or CANNOT_CONNECT, _first_line(error), retryable=rejected) from None


def conninfo(database: str) -> str:
    """What libpq is given: an Aurora DSQL endpoint gets a fresh token, all else stays as it is."""
    if not database:
        raise Failed(WRONG_INPUT, "OCC_DATABASE is not set")
    endpoint = _DSQL.fullmatch(database)
    if endpoint is None:
        return database
    # Imported here because it takes half a second, and no other database needs it.
    import boto3
    from botocore.httpsession import get_cert_path

    host, region, port, query = endpoint.groups()
    options = dict(parse_qsl(query or ""))
    user = options.pop("user", "admin")
    signer = boto3.client("dsql", region_name=region)
    sign = (
        signer.generate_db_connect_admin_auth_token
        if user == "admin"
        else signer.generate_db_connect_auth_token
    )
    settings = {
        "host": host,
        "port": port or "5432",
        "dbname": "postgres",
        "user": user,
        "password": sign(Hostname=host, Region=region),
        "sslmode": "verify-full",
        "sslrootcert": get_cert_path(True),
    }
    return make_conninfo(**{**settings, **options})


def _policy(event: Mapping[str, Any]) -> RetryPolicy:
    attempts = event.get("max_attempts", _setting("OCC_MAX_ATTEMPTS"))
    return RetryPolicy(
        name=_setting("OCC_RETRY"),
        base_s=float(_setting("OCC_RETRY_BASE_MS")) / 1e3,
        cap_s=float(_setting("OCC_RETRY_CAP_MS")) / 1e3,
        max_attempts=int(attempts),
    )


def _setting(name: str) -> str:
    return os.environ.get(name) or DEFAULTS[name]


def _first_line(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error) or type(error).__name__
    return text.strip().splitlines()[0]
