"""One attempt: how it ended, and the row that is kept of it.

The row is the contract between running and reporting (docs/results-format.md): the recorder writes
it, the reports read it, nothing else passes between them but `run.json`.
"""

import re

import numpy as np
import pyarrow as pa

from loadtest.record.outcome import CONFLICTS, COUNTED, RETRYABLE, Outcome, outcome_of

__all__ = [
    "ATTEMPT_SCHEMA",
    "CONFLICTS",
    "COUNTED",
    "FILE_NAME",
    "OUTCOMES",
    "OUTCOME_CODE",
    "RECORD_DTYPE",
    "RECORD_FORMAT",
    "RETRYABLE",
    "Outcome",
    "outcome_of",
]

OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""Every outcome, in the order of the codes that the recorder stores."""

OUTCOME_CODE: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(OUTCOMES)}

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

MOST_REMOTE_RETRIES = 2**15 - 1
"""What fits into `remote_retries`."""

FILE_NAME = re.compile(r"(?P<worker>[0-9]+)-[0-9]{5,}\.parquet")
"""What a file of attempts is called: the process that wrote it, and its number among that one's."""

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
