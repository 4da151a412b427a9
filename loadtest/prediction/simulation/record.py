"""Simulated attempts → Parquet, in the format of a run's record."""

from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa

from loadtest.prediction.simulation.engine import Rows
from loadtest.record.attempt import (
    ATTEMPT_SCHEMA,
    OUTCOME_CODE,
    OUTCOMES,
    Outcome,
    attempts_table,
    rows_touched,
    words,
    write_attempts,
)

EPOCH_NS = 946_684_800_000_000_000
"""When every simulation begins: 2000-01-01T00:00:00Z. A fixed moment, so that the same seed gives the
same record; and one that no run can have."""

ROWS_A_FILE = 100_000
_SQLSTATE = "40001"
_MOMENTS = (
    "intended_start_ns", "begin_sent_ns", "begin_answered_ns", "first_answered_ns", "commit_sent_ns",
    "ended_ns",
)  # fmt: skip
_NUMBERS = ("transaction", "attempt", "user", "block", *_MOMENTS, "backoff_ns", "rows.list.element.row")
_WORDS = [f.name for f in ATTEMPT_SCHEMA if pa.types.is_dictionary(f.type)]
_EMPTY = [
    f.name for f in ATTEMPT_SCHEMA if f.nullable and f.name not in (*_MOMENTS, "sqlstate")
]  # fmt: skip
"""What the other side says: of a simulated one, nothing."""


class Record:
    """The files of one simulation's attempts."""

    def __init__(self, folder: Path, targets: Sequence[str], key_types: Sequence[str]) -> None:
        self._folder = folder
        self._words = {"target": targets, "key_type": key_types, "outcome": OUTCOMES}
        self.files: dict[str, int] = {}
        """The files that are written, with their rows."""
        self.attempts = 0
        self.cpu_s = 0.0
        """What writing took of the processor, in all threads of the process."""

    def write(self, rows: Rows, size: int) -> None:
        """Write the first `size` rows into a file of their own, whole or not at all."""
        if not size:
            return
        began_s = process_time()
        path = self._folder / f"000-{len(self.files):05d}.parquet"
        # Nanoseconds hardly repeat: a dictionary of them takes half of the time and gains nothing.
        write_attempts(
            path, self.table(rows, size), compression_level=-1,
            use_dictionary=[*_WORDS, "sqlstate", "rows.list.element.table"], write_statistics=_EMPTY,
            column_encoding=dict.fromkeys(_NUMBERS, "DELTA_BINARY_PACKED"),
        )  # fmt: skip
        self.files[path.name] = size
        self.attempts += size
        self.cpu_s += process_time() - began_s

    def table(self, rows: Rows, size: int) -> pa.Table:
        """The first `size` rows as columns, in ATTEMPT_SCHEMA."""
        columns: dict[str, Any] = {
            name: getattr(rows, name)[:size] for name in ATTEMPT_SCHEMA.names if name in Rows._fields
        }
        for name in _MOMENTS:
            columns[name] = columns[name] + EPOCH_NS
        for name, names in self._words.items():
            columns[name] = words(columns[name], names)
        columns["operation"] = words(np.zeros(size, np.int8), ["transfer"])
        columns["worker"] = np.zeros(size, np.int16)
        conflicts = rows.outcome[:size] == OUTCOME_CODE[Outcome.CONFLICT_DATA]
        columns["sqlstate"] = pa.array([None, _SQLSTATE]).take(pa.array(conflicts.view(np.int8)))
        # Every key type has a table of its own, in the same order.
        columns["rows"] = rows_touched(
            np.full(size, 2), np.repeat(rows.key_type[:size], 2), rows.rows[:size].reshape(-1)
        )
        return attempts_table(columns, EPOCH_NS)
