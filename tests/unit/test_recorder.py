"""Attempts → columns → Parquet."""

import json
import math
import threading
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.engine import recorder as recorder_module
from loadtest.engine.recorder import Chunk, Recorder
from loadtest.record.attempt import ATTEMPT_SCHEMA
from loadtest.record.model import FORMAT
from loadtest.record.outcome import OUTCOMES
from loadtest.targets.base.target import ABSENT, Remote

TARGETS = ("east", "west")
KEY_TYPES = ("int", "uuid", "uuid7")
NS = st.integers(1, 2**60)
NEVER = st.just(0) | NS
ATTEMPT = st.fixed_dictionaries(
    {
        "rows": st.lists(st.integers(0, 2**62), max_size=5).map(tuple),
        "transaction": NS,
        "intended_start_ns": NS,
        "begin_sent_ns": NS,
        "begin_answered_ns": NEVER,
        "first_answered_ns": NEVER,
        "commit_sent_ns": NEVER,
        "ended_ns": NS,
        "backoff_ns": NS,
        "attempt": st.integers(1, 2**31 - 1),
        "user": st.integers(0, 2**31 - 1),
        "block": st.integers(-1, 2**31 - 1),
        "target": st.integers(0, 1),
        "key_type": st.integers(0, 2),
        "outcome": st.integers(0, len(OUTCOMES) - 1),
        "final": st.booleans(),
        "sqlstate": st.sampled_from([b"", b"40001", b"08006", b"P0002"]),
        "remote": st.sampled_from([ABSENT, Remote(5, 0), Remote(-1, -1, 0.5, 4.0), Remote(9, 3, 1, 2)]),
    }
)


def new_recorder(folder: Path, worker: int = 0) -> Recorder:
    return Recorder(folder, worker, targets=TARGETS, operation="transfer", key_types=KEY_TYPES)


MOMENTS = [name for name in ATTEMPT_SCHEMA.names if name.endswith(("start_ns", "sent_ns", "ed_ns"))]


def expected(attempt: dict[str, Any], recorder: Recorder, worker: int) -> dict[str, Any]:
    moments = {name: attempt.get(name, 0) for name in MOMENTS}
    return attempt | {
        "rows": [{"table": attempt["key_type"], "row": number} for number in attempt["rows"]],
        **{name: at + recorder.anchor_ns if at else None for name, at in moments.items()},
        "target": TARGETS[attempt["target"]],
        "key_type": KEY_TYPES[attempt["key_type"]],
        "outcome": str(OUTCOMES[attempt["outcome"]]),
        "sqlstate": attempt["sqlstate"].decode() or None,
        "operation": "transfer",
        "worker": worker,
        "server_snapshot_ns": None,
        **dict(zip(REMOTE, (none_if_absent(value) for value in attempt["remote"]), strict=True)),
    }


REMOTE = ("remote_ns", "remote_retries", "read_units", "write_units")


def none_if_absent(value: float) -> float | None:
    return None if value < 0 or math.isnan(value) else value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(ATTEMPT, min_size=1, max_size=30), min_size=1, max_size=3), st.integers(0, 99))
def test_what_is_recorded_comes_back(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[list[dict[str, Any]]], worker: int
) -> None:
    folder = tmp_path_factory.mktemp("run") / "attempts"
    recorder = new_recorder(folder, worker)
    for attempts in chunks:
        for attempt in attempts:
            recorder.record(**attempt)
        chunk = recorder.take()
        assert chunk is not None
        chunk.write()
    assert recorder.take() is None
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [
        f"{worker:03d}-{n:05d}.parquet" for n in range(len(chunks))
    ]
    assert recorder.attempts == sum(map(len, chunks))
    for path, attempts in zip(files, chunks, strict=True):
        table = pq.read_table(path)
        assert table.schema.equals(ATTEMPT_SCHEMA)
        assert table.to_pylist() == [
            {name: expected(attempt, recorder, worker)[name] for name in ATTEMPT_SCHEMA.names}
            for attempt in attempts
        ]
        facts = json.loads(pq.read_schema(path).metadata[b"occbench"])
        assert facts == {"format": FORMAT, "wall_anchor_ns": recorder.anchor_ns}


def plain(transaction: int) -> dict[str, Any]:
    return {
        "rows": (transaction, transaction + 1), "transaction": transaction, "intended_start_ns": 1,
        "begin_sent_ns": 2, "begin_answered_ns": 3, "first_answered_ns": 4, "commit_sent_ns": 5,
        "ended_ns": 6, "backoff_ns": 7, "attempt": 1, "user": 0, "block": 0, "target": 0,
        "key_type": 0, "outcome": 0, "final": True, "sqlstate": b"",
    }  # fmt: skip


def test_the_clock_is_the_wall_s(tmp_path: Path) -> None:
    before = time_ns() - monotonic_ns()
    recorder = new_recorder(tmp_path)
    after = time_ns() - monotonic_ns()
    assert abs(recorder.anchor_ns - before) < 1_000_000_000
    assert abs(recorder.anchor_ns - after) < 1_000_000_000


def test_a_full_buffer_is_said_and_a_new_one_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "ROWS_A_FILE", 1000)
    recorder = new_recorder(tmp_path)
    full = 0
    for transaction in range(3500):
        if recorder.record(**plain(transaction)):
            chunk = recorder.take()
            assert chunk is not None
            chunk.write()
            full += 1
    assert full == 3
    last = recorder.take()
    assert last is not None
    last.write()
    tables = [pq.read_table(path) for path in sorted(tmp_path.glob("*.parquet"))]
    assert [len(table) for table in tables] == [1000, 1000, 1000, 500]
    everything = pa.concat_tables(tables)
    assert everything["transaction"].to_pylist() == list(range(3500))
    assert everything["rows"].to_pylist() == [
        [{"table": 0, "row": n}, {"table": 0, "row": n + 1}] for n in range(3500)
    ]


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    """While a thread writes, whoever looks into the folder finds only what can be read."""
    recorder = new_recorder(tmp_path)
    chunks: list[Chunk] = []
    for part in range(5):
        for transaction in range(20_000):
            recorder.record(**plain(part * 20_000 + transaction))
        chunk = recorder.take()
        assert chunk is not None
        chunks.append(chunk)
    done = threading.Event()
    looks = 0

    def write() -> None:
        for chunk in chunks:
            chunk.write()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        for path in tmp_path.glob("*.parquet"):
            assert len(pq.read_table(path, columns=["transaction"])) == 20_000
            looks += 1
    writer.join()
    assert looks
    assert len(list(tmp_path.glob("*.parquet"))) == 5
    assert not list(tmp_path.glob("*.part"))


def test_recent_is_what_came_since(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    rows, seen = recorder.recent(0)
    assert len(rows) == seen == 0
    for transaction in range(10):
        recorder.record(**plain(transaction))
    rows, seen = recorder.recent(seen)
    assert rows["transaction"].tolist() == list(range(10))
    for transaction in range(10, 13):
        recorder.record(**plain(transaction))
    rows, seen = recorder.recent(seen)
    assert rows["transaction"].tolist() == [10, 11, 12]
    recorder.record(**plain(13))
    recorder.take()
    recorder.record(**plain(14))
    rows, seen = recorder.recent(seen)
    assert rows["transaction"].tolist() == [14], "what was handed over is missed, nothing is seen twice"
    assert seen == 15
    assert rows.base is None or np.may_share_memory(rows, rows)
