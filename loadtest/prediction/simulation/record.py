"""Simulated attempts → Parquet, in the format of a run's record."""

import json
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loadtest.prediction.simulation.engine import Rows
from loadtest.record import parquet
from loadtest.record.attempt import ATTEMPT_SCHEMA, OUTCOME_CODE, OUTCOMES, Outcome
from loadtest.record.files import replacing

EPOCH_NS = 946_684_800_000_000_000
"""When every simulation begins: 2000-01-01T00:00:00Z. A fixed moment, so that the same seed gives the
same record; and one that no run can have."""

ROWS_A_FILE = 100_000
_SQLSTATE = "40001"
_SAID_BY_NOBODY = ("remote_ns", "remote_retries", "read_units", "write_units")
_NUMBERS = (
    "transaction", "attempt", "user", "block", "intended_start_ns", "start_ns", "statements_ns",
    "commit_ns", "window_low_ns", "window_high_ns", "backoff_ns", "accounts.list.element",
)  # fmt: skip
_WORDS = [f.name for f in ATTEMPT_SCHEMA if pa.types.is_dictionary(f.type)]
_METADATA = {"occbench": json.dumps({"format": 1, "wall_anchor_ns": EPOCH_NS})}


class Record:
    """The files of one simulation's attempts."""

    def __init__(self, folder: Path, targets: Sequence[str], key_types: Sequence[str]) -> None:
        self._folder = folder
        self._words = {
            "target": pa.array(list(targets), pa.string()),
            "key_type": pa.array(list(key_types), pa.string()),
            "outcome": pa.array([str(outcome) for outcome in OUTCOMES], pa.string()),
            "scenario": pa.array(["transfer"]),
        }
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
        with replacing(path) as part, parquet.writing(part) as file:
            pq.write_table(
                self.table(rows, size), file, compression="zstd", compression_level=-1,
                use_dictionary=[*_WORDS, "sqlstate"], write_statistics=list(_SAID_BY_NOBODY),
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
        for name in ("intended_start_ns", "start_ns"):
            columns[name] = columns[name] + EPOCH_NS
        for name, words in self._words.items():
            codes = columns[name] if name in columns else np.zeros(size, np.int8)
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(codes), words)
        columns["worker"] = np.zeros(size, np.int16)
        conflicts = rows.outcome[:size] == OUTCOME_CODE[Outcome.CONFLICT_DATA]
        columns["sqlstate"] = pa.array([None, _SQLSTATE]).take(pa.array(conflicts.view(np.int8)))
        for name in _SAID_BY_NOBODY:
            columns[name] = pa.nulls(size, ATTEMPT_SCHEMA.field(name).type)
        columns["accounts"] = pa.ListArray.from_arrays(
            pa.array(np.arange(0, 2 * size + 1, 2, dtype=np.int32)),
            pa.array(rows.accounts[:size].reshape(-1)),
            type=ATTEMPT_SCHEMA.field("accounts").type,
        )
        return pa.table(
            [columns[name] for name in ATTEMPT_SCHEMA.names],
            schema=ATTEMPT_SCHEMA.with_metadata(_METADATA),
        )
