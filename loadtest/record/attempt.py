"""The row that is kept of an attempt.

It is the contract between running and reporting (docs/results-format.md): the recorder writes it, the
reports read it, nothing else passes between them but `run.json`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from loadtest.record.files import create_parquet, replacing
from loadtest.record.model import FORMAT

_WORDS = pa.dictionary(pa.int8(), pa.string())

ROW = pa.struct(
    [pa.field("table", pa.int8(), nullable=False), pa.field("row", pa.int64(), nullable=False)]
)
"""A row of the database: the number of its table in `tables` of run.json, and its own in that table."""

ATTEMPT_SCHEMA = pa.schema(
    [
        pa.field("transaction", pa.int64(), nullable=False),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("final", pa.bool_(), nullable=False),
        pa.field("user", pa.int32(), nullable=False),
        pa.field("worker", pa.int16(), nullable=False),
        pa.field("block", pa.int32(), nullable=False),
        pa.field("operation", _WORDS, nullable=False),
        pa.field("target", _WORDS, nullable=False),
        pa.field("key_type", _WORDS, nullable=False),
        pa.field("rows", pa.list_(pa.field("item", ROW, nullable=False)), nullable=False),
        pa.field("intended_start_ns", pa.int64(), nullable=False),
        pa.field("begin_sent_ns", pa.int64(), nullable=False),
        pa.field("begin_answered_ns", pa.int64()),
        pa.field("first_answered_ns", pa.int64()),
        pa.field("commit_sent_ns", pa.int64()),
        pa.field("ended_ns", pa.int64(), nullable=False),
        pa.field("backoff_ns", pa.int64(), nullable=False),
        pa.field("outcome", _WORDS, nullable=False),
        pa.field("sqlstate", pa.string()),
        pa.field("server_snapshot_ns", pa.int64()),
        pa.field("server_decided_ns", pa.int64()),
        pa.field("remote_ns", pa.int64()),
        pa.field("remote_retries", pa.int16()),
        pa.field("read_units", pa.float32()),
        pa.field("write_units", pa.float32()),
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
        ("begin_sent_ns", "<i8"),
        ("begin_answered_ns", "<i8"),
        ("first_answered_ns", "<i8"),
        ("commit_sent_ns", "<i8"),
        ("ended_ns", "<i8"),
        ("backoff_ns", "<i8"),
        ("attempt", "<i4"),
        ("user", "<i4"),
        ("block", "<i4"),
        ("target", "<i1"),
        ("key_type", "<i1"),
        ("outcome", "<i1"),
        ("final", "<i1"),
        ("sqlstate", "S5"),
        ("rows", "<i1"),
        ("remote_ns", "<i8"),
        ("remote_retries", "<i2"),
        ("read_units", "<f4"),
        ("write_units", "<f4"),
    ]
)
"""One attempt as it lies packed in the recorder's buffer; `rows` counts the rows that it touched, and
a moment that never was is 0."""

RECORD_FORMAT = "<8q3i4b5sbqh2f"
"""`struct` format of RECORD_DTYPE."""


def words(codes: NDArray[np.int8], names: Sequence[str]) -> pa.DictionaryArray:
    """A column of words, of which each is given by its number among the names."""
    return pa.DictionaryArray.from_arrays(
        pa.array(np.ascontiguousarray(codes)), pa.array(list(names), pa.string())
    )


def rows_touched(
    counts: NDArray[np.integer[Any]], tables: NDArray[np.int8], numbers: NDArray[np.int64]
) -> pa.ListArray:
    """The column `rows`: how many rows each attempt touched; their tables and numbers, one attempt's
    after another's."""
    ends = np.concatenate(([0], np.cumsum(counts, dtype=np.int32)))
    values = pa.StructArray.from_arrays([pa.array(tables), pa.array(numbers)], fields=list(ROW))
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()), values, type=ATTEMPT_SCHEMA.field("rows").type
    )


def attempts_table(columns: Mapping[str, Any], anchor_ns: int) -> pa.Table:
    """Attempts as they are written; a nullable column that is not given is empty.

    `anchor_ns` is the wall clock at which the run's own clock was 0. Raises KeyError where a column is
    missing or unknown.
    """
    if strange := columns.keys() - set(ATTEMPT_SCHEMA.names):
        raise KeyError(f"no columns of an attempt: {', '.join(sorted(strange))}")
    size = len(columns["transaction"])
    arrays = [
        pa.nulls(size, field.type) if field.nullable and field.name not in columns
        else columns[field.name]
        for field in ATTEMPT_SCHEMA
    ]  # fmt: skip
    facts = json.dumps({"format": FORMAT, "wall_anchor_ns": anchor_ns})
    return pa.table(arrays, schema=ATTEMPT_SCHEMA.with_metadata({"occbench": facts}))


def write_attempts(path: Path, table: pa.Table, **options: Any) -> None:
    """Write a file of attempts, whole or not at all; raises OSError. `options` are pyarrow's."""
    with replacing(path) as part, create_parquet(part) as file:
        pq.write_table(table, file, compression="zstd", **options)
