"""Attempts → columns → Parquet.

Keeping an attempt must cost next to nothing: it is packed into a flat buffer, and whole buffers are
turned into columns and written in a thread while the users go on with the next one.
"""

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from gevent import get_hub
from numpy.typing import NDArray

from loadtest.engine.clock import Clock
from loadtest.record.attempt import (
    RECORD_DTYPE,
    RECORD_FORMAT,
    attempts_table,
    rows_touched,
    words,
    write_attempts,
)
from loadtest.record.outcome import OUTCOMES
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
        operation: str,
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
        self._operation = operation
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
        self._touched: array[int] = array("q")

    def record(
        self,
        rows: tuple[int, ...],
        transaction: int,
        intended_start_ns: int,
        begin_sent_ns: int,
        begin_answered_ns: int,
        first_answered_ns: int,
        commit_sent_ns: int,
        ended_ns: int,
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
        """Keep one attempt; `target`, `key_type` and `outcome` are numbers in their lists.

        A moment that never was, or that the target does not show, is 0. Returns True when the buffer
        is full: the caller then has `take` written, in a thread.
        """
        _PACK(
            self._buffer, self._rows * _WIDTH,
            transaction, intended_start_ns, begin_sent_ns, begin_answered_ns, first_answered_ns,
            commit_sent_ns, ended_ns, backoff_ns, attempt, user, block, target, key_type, outcome,
            final, sqlstate, len(rows), *remote,
        )  # fmt: skip
        self._touched.extend(rows)
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
            touched=self._touched,
            words=self._words,
            operation=self._operation,
            worker=self._worker,
            anchor_ns=self.anchor_ns,
        )
        self._files += 1
        self.attempts += self._rows
        self._start_buffer()
        return chunk


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A full buffer on its way to a file of its own."""

    path: Path
    rows: NDArray[np.void]
    touched: "array[int]"
    words: dict[str, list[str]]
    operation: str
    worker: int
    anchor_ns: int

    def write(self) -> None:
        """Write the file, whole or not at all."""
        write_attempts(self.path, self.table(), compression_level=1)

    def try_to_write(self) -> str:
        """`write`, for a thread: return why it could not be done, or "" when it is."""
        try:
            self.write()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def table(self) -> pa.Table:
        """The attempts as columns, in ATTEMPT_SCHEMA."""
        rows, anchor_ns = self.rows, self.anchor_ns
        columns: dict[str, Any] = {
            name: np.ascontiguousarray(rows[name])
            for name in ("transaction", "attempt", "user", "block", "backoff_ns")
        }
        for name in ("intended_start_ns", "begin_sent_ns", "ended_ns"):
            columns[name] = rows[name] + anchor_ns
        for name in ("begin_answered_ns", "first_answered_ns", "commit_sent_ns"):
            columns[name] = pa.array(rows[name] + anchor_ns, mask=rows[name] == 0)
        for name, names in self.words.items():
            columns[name] = words(rows[name], names)
        columns["operation"] = words(np.zeros(len(rows), np.int8), [self.operation])
        columns["worker"] = np.full(len(rows), self.worker, np.int16)
        columns["final"] = rows["final"].astype(bool)
        states = rows["sqlstate"]
        columns["sqlstate"] = pa.array(states.astype("U5"), pa.string(), mask=states == b"")
        for name in ("remote_ns", "remote_retries"):
            columns[name] = pa.array(np.ascontiguousarray(rows[name]), mask=rows[name] < 0)
        for name in ("read_units", "write_units"):
            columns[name] = pa.array(np.ascontiguousarray(rows[name]), mask=np.isnan(rows[name]))
        # Every key type has a table of its own, in the same order.
        columns["rows"] = rows_touched(
            rows["rows"],
            np.repeat(rows["key_type"], rows["rows"]),
            np.frombuffer(self.touched, np.int64),
        )
        return attempts_table(columns, anchor_ns)


class AttemptWriter:
    """Writes a recorder's buffers in threads, and counts what could not be written."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._writing: list[tuple[Any, Chunk]] = []
        self.files: dict[str, int] = {}
        """The files that are written, with their rows."""
        self.lost = 0
        """Attempts that could not be written."""
        self.why_lost = ""

    def write(self) -> None:
        """Write what is in the buffer, in a thread: it takes tens of milliseconds."""
        chunk = self._recorder.take()
        if chunk is not None:
            self._note([entry for entry in self._writing if entry[0].ready()])
            self._writing.append((get_hub().threadpool.spawn(chunk.try_to_write), chunk))

    def finish(self) -> None:
        """Write what is left, and wait until everything is written."""
        self.write()
        self._note(self._writing)

    def _note(self, written: list[tuple[Any, Chunk]]) -> None:
        for job, chunk in written:
            if error := job.get():
                self.lost += len(chunk.rows)
                self.why_lost = self.why_lost or error
            else:
                self.files[chunk.path.name] = len(chunk.rows)
        self._writing = [entry for entry in self._writing if entry not in written]
