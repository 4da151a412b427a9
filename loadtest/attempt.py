"""One attempt: how it ended, and the row that is kept of it.

The row is the contract between running and reporting (docs/results-format.md): the recorder writes
it, the reports read it, nothing else passes between them but `run.json`.
"""

from enum import StrEnum

import numpy as np
import pyarrow as pa


class Outcome(StrEnum):
    """How an attempt ended."""

    COMMITTED = "committed"
    CONFLICT_DATA = "conflict_data"  # 40001 with (OC000)
    CONFLICT_SCHEMA = "conflict_schema"  # 40001 with (OC001)
    CONFLICT_SERIALIZATION = "conflict_serialization"  # 40001 without a code
    DEADLOCK = "deadlock"  # 40P01
    LOCK_TIMEOUT = "lock_timeout"  # 55P03
    REFUSED = "refused"  # the scenario's own rule said no
    CONNECT_FAILED = "connect_failed"
    CONNECTION_LOST = "connection_lost"  # before COMMIT was sent: nothing happened
    AMBIGUOUS = "ambiguous"  # lost after COMMIT was sent: unknown
    REJECTED = "rejected"  # the target asked for less: 53300, 53400, throttling
    ERROR = "error"


OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""Every outcome, in the order of the codes that the recorder stores."""

OUTCOME_CODE: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(OUTCOMES)}

CONFLICTS: frozenset[Outcome] = frozenset(
    {
        Outcome.CONFLICT_DATA,
        Outcome.CONFLICT_SCHEMA,
        Outcome.CONFLICT_SERIALIZATION,
        Outcome.DEADLOCK,
        Outcome.LOCK_TIMEOUT,
    }
)
"""Outcomes by which the database failed an attempt because of concurrency."""

RETRYABLE: frozenset[Outcome] = CONFLICTS | {
    Outcome.REJECTED,
    Outcome.CONNECTION_LOST,
    Outcome.CONNECT_FAILED,
}
"""Outcomes after which the same work may be tried again without any risk of doing it twice."""

_WORDS = pa.dictionary(pa.int8(), pa.string())

ATTEMPT_SCHEMA = pa.schema(
    [
        pa.field("transaction", pa.int64(), nullable=False),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("final", pa.bool_(), nullable=False),
        pa.field("user", pa.int32(), nullable=False),
        pa.field("worker", pa.int16(), nullable=False),
        pa.field("block", pa.int32(), nullable=False),
        pa.field("target", _WORDS, nullable=False),
        pa.field("scenario", _WORDS, nullable=False),
        pa.field("key_type", _WORDS, nullable=False),
        pa.field("accounts", pa.list_(pa.field("item", pa.int64(), nullable=False)), nullable=False),
        pa.field("intended_start_ns", pa.int64(), nullable=False),
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("statements_ns", pa.int64(), nullable=False),
        pa.field("commit_ns", pa.int64(), nullable=False),
        pa.field("window_low_ns", pa.int64(), nullable=False),
        pa.field("window_high_ns", pa.int64(), nullable=False),
        pa.field("backoff_ns", pa.int64(), nullable=False),
        pa.field("outcome", _WORDS, nullable=False),
        pa.field("sqlstate", pa.string(), nullable=True),
        pa.field("remote_ns", pa.int64(), nullable=True),
        pa.field("remote_retries", pa.int16(), nullable=True),
        pa.field("read_units", pa.float32(), nullable=True),
        pa.field("write_units", pa.float32(), nullable=True),
    ]
)
"""The columns of `attempts/*.parquet`; docs/results-format.md gives each one's meaning."""

RECORD_DTYPE = np.dtype(
    [
        ("transaction", "<i8"),
        ("intended_start_ns", "<i8"),
        ("start_ns", "<i8"),
        ("statements_ns", "<i8"),
        ("commit_ns", "<i8"),
        ("window_low_ns", "<i8"),
        ("window_high_ns", "<i8"),
        ("backoff_ns", "<i8"),
        ("attempt", "<i4"),
        ("user", "<i4"),
        ("block", "<i4"),
        ("target", "<i1"),
        ("key_type", "<i1"),
        ("outcome", "<i1"),
        ("final", "<i1"),
        ("sqlstate", "S5"),
        ("accounts", "<i1"),
        ("remote_ns", "<i8"),
        ("remote_retries", "<i2"),
        ("read_units", "<f4"),
        ("write_units", "<f4"),
    ]
)
"""One attempt as it lies packed in the recorder's buffer; `accounts` counts the numbers touched."""

RECORD_FORMAT = "<8q3i4b5sbqh2f"
"""`struct` format of RECORD_DTYPE."""


def outcome_of(sqlstate: str, message: str, *, commit_sent: bool, connected: bool) -> Outcome:
    """What a failed attempt means: the one place that reads a target's errors.

    Only the SQLSTATE and Aurora DSQL's code in brackets are read; the wording around the code has
    changed before and will again. `commit_sent` says whether COMMIT had left when it failed,
    `connected` whether the connection survived.
    """
    if sqlstate == "40001":
        if "(OC001)" in message:
            return Outcome.CONFLICT_SCHEMA
        return Outcome.CONFLICT_DATA if "(OC000)" in message else Outcome.CONFLICT_SERIALIZATION
    known = _OUTCOME_OF_SQLSTATE.get(sqlstate)
    if known is not None:
        return known
    # 08: connection exceptions. 57P01 … 57P05: the server ended the session.
    if not connected or sqlstate.startswith(("08", "57P0")):
        return Outcome.AMBIGUOUS if commit_sent else Outcome.CONNECTION_LOST
    return Outcome.ERROR


_OUTCOME_OF_SQLSTATE = {
    "40P01": Outcome.DEADLOCK,
    "55P03": Outcome.LOCK_TIMEOUT,
    "53300": Outcome.REJECTED,
    "53400": Outcome.REJECTED,
}
