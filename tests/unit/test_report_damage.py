"""A record that is damaged is refused in one line, quickly, without much memory."""

import contextlib
import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.record.files import read_json
from loadtest.record.probes import FILE, PROBE_SCHEMA
from loadtest.record.run import read_run
from loadtest.record.sweep import read_sweep
from loadtest.targets.aws_lambda.answers import remote_of
from reports import summarise
from reports.analysis.consistency import find_consistency
from reports.documents.run.summary_file import read_summary
from reports.statistics.comparison.pieces import read_pieces
from reports.statistics.prediction.calibration import read_calibration
from tests.examples import at_most
from tests.run_folders import (
    BEGIN_NS,
    FakeRun,
    hand_made,
    run_json,
    table_of,
    write_attempts,
    write_fake_run,
)

_MEMORY = 2 << 30
_WHOLE = FakeRun(tps=40, duration_s=4, warmup_s=1, targets=("east", "west"))


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    """Memory beyond what there is now and two gigabytes is a MemoryError."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def refused(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        ask()
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert len(text) < 600


BAD_JSON = {
    "deep": ('{"format": 2, "config": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    "deep below the interpreter's limit": (
        '{"format": 2, "x": ' + "[" * 500 + "]" * 500 + "}",
        "nested too deeply",
    ),
    "large number": (f'{{"format": 2, "started_ns": {2**64}}}', "too large a number"),
    "very large number": (f'{{"format": 2, "started_ns": 1{"0" * 5000}}}', "too large a number"),
    "a number of 64 bits too many": (f'{{"format": 2, "started_ns": {2**63}}}', "started_ns"),
    "huge": ('{"format": 2, "pacing": {"rate": 1e999}}', "too large a number"),
    "NaN": ('{"format": 2, "pacing": {"rate": NaN}}', "NaN is not a number"),
    "infinite": ('{"format": 2, "pacing": {"rate": -Infinity}}', "not a number"),
    "surrogate": ('{"format": 2, "label": "\\ud800"}', "not valid JSON"),
    "users": ('{"format": 2, "config": {"users": 1000000000000000000}}', "config.users"),
    "negative": ('{"format": 2, "measured_from_ns": -1}', "measured_from_ns"),
    "backwards": ('{"format": 2, "measured_from_ns": 5, "measured_until_ns": 4}', "before"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_a_damaged_run_file(tmp_path: Path, name: str) -> None:
    hand_made(tmp_path, [{}])
    text, said = BAD_JSON[name]
    (tmp_path / "run.json").write_text(text)
    refused(lambda: summarise(tmp_path), said)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def not_text(path: Path) -> None:
    path.write_bytes(b'{"format": 2, "label": "\xff\xfe"}')


def hundreds_of_megabytes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(400 << 20)


@pytest.mark.parametrize("spoil", [fifo, folder, not_text, hundreds_of_megabytes])
@pytest.mark.parametrize("name", ["run.json", "sweep.json", "summary.json"])
def test_what_is_no_json_file(tmp_path: Path, name: str, spoil: Callable[[Path], None]) -> None:
    """It neither hangs nor fills the memory, wherever it is read."""
    spoil(tmp_path / name)
    read: dict[str, Callable[[], object]] = {
        "run.json": lambda: read_run(tmp_path),
        "sweep.json": lambda: read_sweep(tmp_path),
        "summary.json": lambda: read_summary(tmp_path),
    }
    refused(read[name], name)
    refused(lambda: read_json(tmp_path / name, "restore it"), name)


@pytest.mark.parametrize("spoil", [fifo, folder])
def test_what_has_the_name_of_a_file_of_attempts(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    hand_made(tmp_path, [{}])
    spoil(tmp_path / "attempts" / "0-00001.parquet")
    refused(lambda: summarise(tmp_path), "0-00001.parquet is not a file")


BAD_VALUES: list[tuple[str, Any]] = [
    ("attempt", 0), ("attempt", -(2**31)), ("block", 10**9), ("block", -2),
    ("statements_ns", -(2**60)), ("statements_ns", 2**60), ("commit_ns", -1), ("backoff_ns", -(2**62)),
    ("window_low_ns", -(2**60)), ("window_high_ns", 2**62), ("start_ns", -(2**63)),
    ("begin_sent_ns", 2**63 - 1), ("start_ns", 0), ("intended_start_ns", 1), ("transaction", -1),
    ("rows", [-1]), ("rows", [2**63 - 1]), ("rows", [0] * 40_000), ("user", -5),
    ("ended_ns", BEGIN_NS - 1), ("first_answered_ns", BEGIN_NS - 1), ("commit_sent_ns", 2**62),
    ("remote_ns", -7), ("remote_retries", -7), ("read_units", float("nan")),
    ("write_units", float("inf")), ("target", "x" * 5000), ("outcome", "x" * 5000),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value"), BAD_VALUES)
def test_a_value_that_no_attempt_can_have(tmp_path: Path, column: str, value: Any) -> None:
    rows = [{"transaction": i} for i in range(20)]
    refused(lambda: summarise(hand_made(tmp_path, [{**rows[0], column: value}, *rows[1:]])), "damaged")


def test_as_many_retries_as_may_be_written_can_be_read(tmp_path: Path) -> None:
    answer = {"balance": 1, "retries": 10**9}
    summarise(hand_made(tmp_path, [{"remote_retries": remote_of(answer).retries}]))


def test_rows_that_are_announced_and_hardly_there(tmp_path: Path) -> None:
    """A hundred million rows in a few kilobytes: one value, many times."""
    hand_made(tmp_path, [{}])
    rows = 20_000_000
    one = table_of([{}]).column("ended_ns")[0]
    table = pa.table({"ended_ns": pa.array(np.full(rows, one.as_py()))})
    pq.write_table(table, tmp_path / "attempts" / "0-00000.parquet", compression="zstd")
    refused(lambda: summarise(tmp_path), "cut short or not Parquet")


def test_text_that_is_none(tmp_path: Path) -> None:
    hand_made(tmp_path, [{}])
    table = table_of([{}])
    broken = pa.StringArray.from_buffers(
        1, pa.py_buffer(np.array([0, 5], np.int32)), pa.py_buffer(b"\xff" * 5)
    )
    place = table.schema.get_field_index("sqlstate")
    write_attempts(tmp_path, table.set_column(place, "sqlstate", broken))
    refused(lambda: summarise(tmp_path), "0-00000.parquet is damaged")


def test_a_key_type_of_which_nothing_came_to_commit(tmp_path: Path) -> None:
    """Its table was dropped: a prediction is from the other one."""
    folder = write_fake_run(tmp_path, _WHOLE)
    (path,) = (folder / "attempts").iterdir()
    table = pq.read_table(path)
    failed = pc.equal(table["key_type"].cast(pa.string()), "uuid")
    place = table.schema.get_field_index("commit_sent_ns")
    column = pc.if_else(failed, pa.scalar(None, pa.int64()), table["commit_sent_ns"])
    table = table.set_column(place, table.field(place), column)
    pq.write_table(table, path)
    assert list(read_calibration(folder).key_types) == ["int"]


PROBE = {
    "writer": "a", "reader": "b", "at_ns": 1, "commit_ns": 1, "read_ns": 1, "stale_ns": None,
    "seen": True, "failed": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"),
    [("at_ns", None), ("at_ns", "1"), ("read_ns", -(2**60)), ("stale_ns", 1.5), ("writer", None)],
)
def test_consistency_probes_that_cannot_be(tmp_path: Path, column: str, value: Any) -> None:
    fine = pa.table(
        {name: pa.array([one], PROBE_SCHEMA.field(name).type) for name, one in PROBE.items()}
    )
    pq.write_table(fine, tmp_path / FILE)
    found = find_consistency(tmp_path)
    assert found is not None
    assert found.overall.made == 1
    place = fine.schema.get_field_index(column)
    kind = PROBE_SCHEMA.field(column).type if isinstance(value, int | None) else None
    pq.write_table(fine.set_column(place, column, pa.array([value], kind)), tmp_path / FILE)
    refused(lambda: find_consistency(tmp_path), "consistency.parquet is damaged")


# Whatever else is wrong

_ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 2**31, 2**62, 2**63, -(2**60), 10**9, 0.5, 1e300]),
    st.text(max_size=20),
    st.sampled_from(["5s", "NaN", "int,uuid", "a" * 5000, [], {}, [1], {"a": 1}, [None], "embedded"]),
)


def _places(of: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ()
    for key, value in inside:
        yield (*here, key)
        yield from _places(value, (*here, key))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_run(tmp_path_factory.mktemp("damage"), _WHOLE)


@at_most(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(list(_places(run_json(_WHOLE)))), value=_ANYTHING)
def test_any_value_in_a_run_file(whole: Path, place: tuple[Any, ...], value: Any) -> None:
    """A report, or one line."""
    content = run_json(_WHOLE)
    inside: Any = content
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    (whole / "run.json").write_text(json.dumps(content))
    for read in (summarise, read_calibration, lambda f: read_pieces(f, read_run(f))):
        with contextlib.suppress(InputError):
            read(whole)


@at_most(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), byte=st.integers(0, 255), keep=st.sampled_from([1.0, 1.0, 0.99, 0.5]))
def test_any_byte_in_a_file_of_attempts(whole: Path, place: float, byte: int, keep: float) -> None:
    """Most of them in its footer, which says what all others are."""
    path = whole / "attempts" / "0-00000.parquet"
    content = path.read_bytes()
    spoilt = bytearray(content[: round(keep * len(content))])
    spoilt[-1 - int(place**3 * (len(spoilt) - 1))] = byte
    (whole / "run.json").write_text(json.dumps(run_json(_WHOLE)))
    path.write_bytes(bytes(spoilt))
    try:
        with contextlib.suppress(InputError):
            summarise(whole)
    finally:
        path.write_bytes(content)
