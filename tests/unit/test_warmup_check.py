"""Is the measured time warm? Found where it is not, and silent where nothing but chance is there."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import summarise
from reports.warmup_check import (
    FEWEST_PIECES,
    excludes_bias,
    initialization_p,
    judge,
    mser,
    pieces_of,
)
from tests.run_folders import BEGIN_NS, FakeRun, write_fake_run

COURSES = 1000


def courses(pieces: int, correlation: float, deviation: float, seed: int) -> np.ndarray:
    """First-order autoregressions without a beginning: (COURSES, pieces)."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(COURSES, pieces + 100))
    found = np.empty_like(steps)
    found[:, 0] = steps[:, 0]
    for i in range(1, steps.shape[1]):
        found[:, i] = correlation * found[:, i - 1] + np.sqrt(1 - correlation**2) * steps[:, i]
    return deviation * found[:, 100:]


def cold(pieces: int, depth: float, share: float) -> np.ndarray:
    """A beginning that is `depth` too low and gets better with a time constant of `share` of all."""
    return -depth * np.exp(-(np.arange(pieces) + 0.5) / pieces / share)


def told(values: np.ndarray) -> bool:
    level = values[len(values) // 2 :].mean()
    return judge(values - level, "throughput", 1.0) is not None


# Silence. The limits are what was measured over many seeds, and thrice its standard error.


@pytest.mark.parametrize(
    ("pieces", "correlation", "deviation", "most"),
    [
        (32, 0.0, 0.03, 0.003), (80, 0.0, 0.03, 0.003), (200, 0.0, 0.1, 0.003),
        (32, 0.5, 0.1, 0.025), (80, 0.5, 0.1, 0.01), (80, 0.8, 0.03, 0.006), (80, 0.8, 0.1, 0.025),
        (40, 0.95, 0.1, 0.09),
    ],
)  # fmt: skip
def test_chance_is_not_taken_for_a_beginning(
    pieces: int, correlation: float, deviation: float, most: float
) -> None:
    found = sum(told(course) for course in courses(pieces, correlation, deviation, seed=7))
    assert found <= most * COURSES


def test_the_probability_is_one_where_pieces_are_independent() -> None:
    """As many courses below p as p says, within three standard errors."""
    found = np.array([initialization_p(c) for c in courses(60, 0.0, 0.05, seed=3)])
    for p in (0.01, 0.05, 0.2, 0.5):
        below = float(np.mean(found < p))
        # Correlation is estimated, and taken for none where it looks negative: a little too careful.
        assert p * 0.5 - 0.01 <= below <= p + 3 * np.sqrt(p * (1 - p) / COURSES)


# Finding


@pytest.mark.parametrize(("depth", "share"), [(0.3, 0.1), (0.5, 0.05), (0.2, 0.2)])
def test_a_cold_beginning_is_found(depth: float, share: float) -> None:
    beginning = cold(80, depth, share)
    found = sum(told(course + beginning) for course in courses(80, 0.0, 0.03, seed=5)[:200])
    assert found >= 0.85 * 200


def test_one_that_moves_nothing_is_not_told() -> None:
    beginning = cold(200, 0.5, 0.01)
    assert not any(told(course + beginning) for course in courses(200, 0.0, 0.01, seed=5)[:100])


def test_what_it_says_of_a_step() -> None:
    """The first 10 of 60 pieces at 60 % of the later level: the mean is 1 − 0.4/6."""
    rng = np.random.default_rng(1)
    values = rng.normal(0, 0.02, 60)
    values[:10] -= 0.4
    found = judge(values - values[30:].mean(), "throughput", 0.5)
    assert found is not None
    assert found.settled
    assert found.until_s == pytest.approx(5.0, abs=0.5)
    assert found.early == pytest.approx(-0.4, abs=0.03)
    assert found.bias == pytest.approx(-0.4 / 6, abs=0.01)


def test_latency_is_a_ratio_of_geometric_means() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0, 0.02, 60)
    values[:10] += np.log(2.0)
    found = judge(values - values[30:].mean(), "latency", 1.0)
    assert found is not None
    assert found.early == pytest.approx(1.0, abs=0.06)
    assert found.bias == pytest.approx(2 ** (1 / 6) - 1, abs=0.02)


def test_one_that_never_settles_has_no_warmup_that_suffices() -> None:
    rng = np.random.default_rng(1)
    values = np.linspace(-0.4, 0.4, 80) + rng.normal(0, 0.01, 80)
    found = judge(values, "throughput", 1.0)
    assert found is not None
    assert not found.settled
    assert found.early == pytest.approx(0.8 / 1.2 - 1, abs=0.05)


def test_a_bias_is_excluded_only_where_the_pieces_are_even_enough() -> None:
    """Steady and even: nearly always; steady but uneven, or with a beginning: seldom."""

    def share(pieces: int, correlation: float, deviation: float, depth: float = 0.0) -> float:
        made = courses(pieces, correlation, deviation, seed=11)[:300] + cold(pieces, depth, 0.1)
        return float(np.mean([excludes_bias(c - c[pieces // 2 :].mean(), "throughput") for c in made]))

    assert share(80, 0.0, 0.03) > 0.99
    assert share(200, 0.0, 0.1) > 0.9
    assert share(40, 0.5, 0.2) < 0.1
    # A beginning that moves the whole by 3 %, and 4.5 %: at most as often as the 5 % promised.
    assert share(40, 0.0, 0.1, depth=0.3) <= 0.08
    assert share(32, 0.0, 0.1, depth=0.45) <= 0.08


def test_a_swing_is_not_called_warm() -> None:
    """1,000 → 250 → 840: the figures would change by much without the first quarter."""
    values = np.repeat([1000.0, 250.0, 840.0, 840.0], 12) / 840 - 1
    values += np.random.default_rng(2).normal(0, 0.02, len(values))
    assert not excludes_bias(values, "throughput")


@given(st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=60))
def test_mser_is_the_least_standard_error(values: list[float]) -> None:
    """Against the definition, term by term."""
    array = np.array(values, float)
    n = len(array)

    def error(cut: int) -> float:
        left = array[cut:]
        return float(np.sum((left - left.mean()) ** 2)) / (n - cut) ** 2

    best = min(error(cut) for cut in range(n // 2 + 1))
    assert error(mser(array)) == pytest.approx(best, abs=1e-9)


def test_pieces_are_long_against_the_latency_and_never_empty() -> None:
    assert pieces_of(60.0, 10**6, 0.001) == 200
    assert pieces_of(60.0, 10**6, 0.2) == 60
    assert pieces_of(60.0, 400, 0.001) == 20
    assert pieces_of(1.0, 10**6, 0.001) == 4


# Whole runs

RUN: dict[str, Any] = {"tps": 800.0, "duration_s": 24.0, "block_s": 1.0, "warmup_s": 2.0}


def thinned(folder: Path, until_s: float, kept: float) -> Path:
    """Takes away all but a share of the transactions that began in the first seconds."""
    begin = BEGIN_NS + round(RUN["warmup_s"] * 1e9)
    for path in sorted((folder / "attempts").glob("*.parquet")):
        table = pq.read_table(path)
        since = (table["intended_start_ns"].to_numpy() - begin) / 1e9
        chance = np.random.default_rng(1).random(2_000_000)[table["transaction"].to_numpy()]
        stays = (since < 0) | (since > until_s) | (chance < kept)
        pq.write_table(table.filter(stays), path)
    return folder


def warmup_line(folder: Path) -> dict[str, str]:
    (line,) = [v for v in summarise(folder)["verdicts"] if v["about"] == "warm-up"]
    return dict(line)


@pytest.mark.parametrize("seed", [1, 4])
def test_a_run_that_is_warm_says_so_whatever_its_key_types_differ(tmp_path: Path, seed: int) -> None:
    """Long blocks of a key type half as fast come and go, early or late; that is no beginning."""
    options = RUN | {
        "duration_s": 12.0,
        "tps": 4000.0,
        "block_s": 6.0,
        "slower": {"uuid": 2.0},
        "noise": 0.0,
        "seed": seed,
    }
    assert warmup_line(write_fake_run(tmp_path, FakeRun(**options)))["state"] == "good"


def test_a_run_that_is_not_says_what_warmup_would_have_sufficed(tmp_path: Path) -> None:
    folder = thinned(write_fake_run(tmp_path, FakeRun(**RUN, seed=4)), until_s=5.0, kept=0.5)
    line = warmup_line(folder)
    assert line["state"] == "bad"
    assert "throughput was" in line["text"]
    assert "lower than later" in line["text"]
    assert "too low" in line["text"]
    # Two seconds were cut off, five more had to be; a piece is a quarter of a second.
    assert "`--warmup 7s`" in line["text"] or "`--warmup 8s`" in line["text"]


def test_a_run_too_short_to_tell_does_not_guess(tmp_path: Path) -> None:
    short = RUN | {"duration_s": (FEWEST_PIECES - 2) * 0.25}
    line = warmup_line(write_fake_run(tmp_path, FakeRun(**short)))
    assert (line["state"], "too short" in line["text"]) == ("note", True)


def test_each_of_several_targets_is_asked(tmp_path: Path) -> None:
    """One target is slow at first; the other's line is not drowned, nor blamed."""
    folder = write_fake_run(tmp_path, FakeRun(**RUN, keys=("int",), targets=("east", "west"), seed=4))
    begin = BEGIN_NS + round(RUN["warmup_s"] * 1e9)
    for path in sorted((folder / "attempts").glob("*.parquet")):
        table = pq.read_table(path)
        since = (table["intended_start_ns"].to_numpy() - begin) / 1e9
        west = np.array(table["target"].to_pylist()) == "west"
        lost = west & (since > 0) & (since < 5) & (table["transaction"].to_numpy() % 2 == 0)
        lost |= west & (since > 0) & (since < 5) & (table["transaction"].to_numpy() % 3 == 0)
        pq.write_table(table.filter(~lost), path)
    line = warmup_line(folder)
    assert line["state"] == "bad"
    assert "on west" in line["text"]
    assert "east" not in line["text"]
