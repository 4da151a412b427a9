"""Attempts → columns → Parquet.

Keeping an attempt must cost next to nothing: it is packed into a flat buffer, and whole buffers are
turned into columns and written in a thread while the users go on with the next one.
"""

import json
import struct
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from loadtest.engine.clock import Clock
from loadtest.record import parquet
from loadtest.record.attempt import ATTEMPT_SCHEMA, OUTCOMES, RECORD_DTYPE, RECORD_FORMAT
from loadtest.record.files import replacing
from loadtest.targets.base.target import ABSENT, Remote

ROWS_A_FILE = 100_000
"""A buffer is written when it is full, or when it is taken before."""

_PACK = struct.Struct(RECORD_FORMAT).pack_into
_WIDTH = RECORD_DTYPE.itemsize


class Recorder:
    """The record of one process.

    Times go in as `time.monotonic_ns()` and come out as nanoseconds since 1970, by the anchor of the
    run's clock: differences stay exact, and the processes of a run can be laid over one another.
    """

    def __init__(
        self,
        folder: Path,
        worker: int,
        *,
        targets: Sequence[str],
        scenario: str,
        key_types: Sequence[str],
        clock: Clock | None = None,
    ) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._worker = worker
        self._words = {
            "target": list(targets),
            "key_type": list(key_types),
            "outcome": [str(outcome) for outcome in OUTCOMES],
        }
        self._scenario = scenario
        self.anchor_ns = (clock or Clock()).anchor_ns
        self._files = 0
        self.attempts = 0
        self._start_buffer()
        # With its first arrays pyarrow imports pandas, where that is installed, and dateutil: up to a
        # fifth of a second of computing that belongs before the run and not into it.
        pa.array(np.zeros(1))
        pa.array([""])

    def _start_buffer(self) -> None:
        self._buffer = bytearray(ROWS_A_FILE * _WIDTH)
        self._rows = 0
        self._accounts: array[int] = array("q")

    def record(
        self,
        accounts: tuple[int, ...],
        transaction: int,
        intended_start_ns: int,
        start_ns: int,
        statements_ns: int,
        commit_ns: int,
        window_low_ns: int,
        window_high_ns: int,
        backoff_ns: int,
        attempt: int,
        user: int,
        block: int,
        target: int,
        key_type: int,
        outcome: int,
        final: bool,
        sqlstate: bytes,
        remote: Remote = ABSENT,
    ) -> bool:
        """Keep one attempt; `target`, `key_type` and `outcome` are places in their lists.

        Returns True when the buffer is full: the caller then has `take` written, in a thread.
        """
        _PACK(
            self._buffer, self._rows * _WIDTH,
            transaction, intended_start_ns, start_ns, statements_ns, commit_ns, window_low_ns,
            window_high_ns, backoff_ns, attempt, user, block, target, key_type, outcome, final,
            sqlstate, len(accounts), *remote,
        )  # fmt: skip
        self._accounts.extend(accounts)
        self._rows += 1
        return self._rows == ROWS_A_FILE

    def recent(self, since: int) -> tuple[NDArray[np.void], int]:
        """The attempts kept after the first `since` ones, as far as they are still in memory.

        Returns them with the count to pass next time; for the live view, which may miss a few.
        """
        total = self.attempts + self._rows
        start = max(0, since - self.attempts)
        rows = np.frombuffer(self._buffer, RECORD_DTYPE, count=self._rows)[start:].copy()
        return rows, total

    def take(self) -> "Chunk | None":
        """Hand over what is in the buffer and start an empty one; None when there is nothing."""
        if not self._rows:
            return None
        chunk = Chunk(
            path=self._folder / f"{self._worker:03d}-{self._files:05d}.parquet",
            rows=np.frombuffer(self._buffer, RECORD_DTYPE, count=self._rows),
            accounts=self._accounts,
            words=self._words,
            scenario=self._scenario,
            worker=self._worker,
            anchor_ns=self.anchor_ns,
        )
        self._files += 1
        self.attempts += self._rows
        self._start_buffer()
        return chunk


class Chunk:
    """A full buffer on its way to a file of its own."""

    def __init__(
        self,
        path: Path,
        rows: NDArray[np.void],
        accounts: "array[int]",
        words: dict[str, list[str]],
        scenario: str,
        worker: int,
        anchor_ns: int,
    ) -> None:
        self.path = path
        self._rows = rows
        self._accounts = accounts
        self._words = words
        self._scenario = scenario
        self._worker = worker
        self._anchor_ns = anchor_ns

    def write(self) -> None:
        """Write the file, whole or not at all."""
        with replacing(self.path) as part, parquet.writing(part) as file:
            pq.write_table(self.table(), file, compression="zstd", compression_level=1)

    @property
    def attempts(self) -> int:
        """How many attempts it holds."""
        return len(self._rows)

    def try_to_write(self) -> str:
        """`write`, for a thread: returns why it could not be done, or "" when it is."""
        try:
            self.write()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def table(self) -> pa.Table:
        """The attempts as columns, in ATTEMPT_SCHEMA."""
        rows = self._rows
        columns: dict[str, Any] = {
            name: np.ascontiguousarray(rows[name])
            for name in (
                "transaction", "attempt", "user", "block", "statements_ns", "commit_ns",
                "window_low_ns", "window_high_ns", "backoff_ns",
            )
        }  # fmt: skip
        for name in ("intended_start_ns", "start_ns"):
            columns[name] = rows[name] + self._anchor_ns
        for name, words in self._words.items():
            codes = pa.array(np.ascontiguousarray(rows[name]))
            columns[name] = pa.DictionaryArray.from_arrays(codes, pa.array(words, pa.string()))
        columns["scenario"] = pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(len(rows), np.int8)), pa.array([self._scenario])
        )
        columns["worker"] = np.full(len(rows), self._worker, np.int16)
        columns["final"] = rows["final"].astype(bool)
        states = rows["sqlstate"]
        columns["sqlstate"] = pa.array(states.astype("U5"), pa.string(), mask=states == b"")
        for name in ("remote_ns", "remote_retries"):
            columns[name] = pa.array(np.ascontiguousarray(rows[name]), mask=rows[name] < 0)
        for name in ("read_units", "write_units"):
            columns[name] = pa.array(np.ascontiguousarray(rows[name]), mask=np.isnan(rows[name]))
        ends = np.concatenate(([0], np.cumsum(rows["accounts"], dtype=np.int32)))
        columns["accounts"] = pa.ListArray.from_arrays(
            pa.array(ends, pa.int32()),
            pa.array(np.frombuffer(self._accounts, np.int64)),
            type=ATTEMPT_SCHEMA.field("accounts").type,
        )
        metadata = {"occbench": json.dumps({"format": 1, "wall_anchor_ns": self._anchor_ns})}
        return pa.table(
            [columns[name] for name in ATTEMPT_SCHEMA.names],
            schema=ATTEMPT_SCHEMA.with_metadata(metadata),
        )
