"""The same record gives the same figures, to the last bit: whatever is read first, by however many."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loadtest.record.attempt import write_attempts
from loadtest.record.run import read_run
from reports import summarise
from reports.analysis.reading import attempts
from reports.statistics.comparison.pieces import read_pieces
from reports.statistics.prediction.calibration import read_calibration
from tests.run_folders import FakeRun, write_fake_run


def _figures(folder: Path, *, forecast: bool) -> dict[str, Any]:
    """All that is computed of a record, by where it stands."""
    found: dict[str, Any] = {"summary": summarise(folder)}
    if forecast:
        found["calibration"] = dataclasses.asdict(read_calibration(folder))
        pieces = read_pieces(folder, read_run(folder), whole=True)
        found["pieces"] = {
            str(name): {
                "counts": one.counts.to_dict("list"),
                "times": one.times,
                "figures": one.figures,
            }
            for name, one in pieces.items()
        }
    return dict(_leaves("", found))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every value in dicts and sequences with the way there."""
    inside = value if isinstance(value, dict) else dict(enumerate(value)) if _several(value) else None
    if inside is None:
        yield name, repr(value)
    else:
        for key, one in inside.items():
            yield from _leaves(f"{name}.{key}", one)


def _several(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


def _shuffle(folder: Path, seed: int, files: int) -> None:
    """Write the same attempts in another order, in so many files."""
    paths = sorted((folder / "attempts").iterdir())
    table = pa.concat_tables([pq.read_table(path) for path in paths]).unify_dictionaries()
    table = table.sort_by([("transaction", "ascending"), ("attempt", "ascending")])
    rng = np.random.default_rng(seed)
    for path in paths:
        path.unlink()
    for number, part in enumerate(np.array_split(rng.permutation(len(table)), files)):
        write_attempts(
            folder / "attempts" / f"0-{number:05}.parquet", table.take(part), row_group_size=5000
        )


RECORDS = {
    "two endpoints": FakeRun(
        targets=("east", "west"), tps=5000, duration_s=40, warmup_s=2, accounts=2000, skew="zipf:0.8",
        errors=0.001, commit_ms={"west": 3.1}, down={"west": (20.0, 21.0)}, conflict=0.03,
    ),
    "functions": FakeRun(
        targets=("east", "function", "charged"), tps=2500, duration_s=8, warmup_s=1, keys=("int",),
        refused=0.01, functions=("function",), charged=("charged",),
        systems={"charged": {"family": "dynamodb"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_neither_threads_nor_the_order_of_the_record_change_a_figure(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_fake_run(tmp_path, RECORDS[name])
    found = []
    for threads, files in ((1, 1), (4, 8)):
        _shuffle(folder, threads + files, files)
        monkeypatch.setattr(attempts, "_threads", lambda _, threads=threads: threads)
        found.append(_figures(folder, forecast=name == "two endpoints"))
    first, other = found
    assert int(first[".summary.overall.attempts"]) > 15_000
    assert other.keys() == first.keys()
    assert {name: (first[name], other[name]) for name in first if first[name] != other[name]} == {}
