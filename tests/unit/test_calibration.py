"""A run as the calibration of forecasts, read from simulated records whose truth is known."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.errors import InputError
from loadtest.prediction.forecast import forecast
from loadtest.prediction.simulation import SimulateConfig, simulate
from loadtest.prediction.workload import UNKNOWN_PLACEMENT
from reports.statistics.prediction.calibration import read_calibration
from tests.agreement import outcome_of, rate_of
from tests.run_folders import FakeRun, write_fake_run

STATEMENT_MS, COMMIT_MS = 2.0, 10.0


def made(out: Path, **options: Any) -> Path:
    """A simulated run; its windows are 0.5 × 2 + 2 + 0.8 × 10 = 11 ms long."""
    settings = {
        "keys": "int", "accounts": 1_000, "users": 32, "statement_ms": STATEMENT_MS,
        "commit_ms": COMMIT_MS, "snapshot_at": 0.5, "decided_at": 0.8, "spread": 0.2,
        "warmup": 1, "duration": 20, "out": out,
    }  # fmt: skip
    return simulate(SimulateConfig.read(**(settings | options)))


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run as it is without other options; to be read only."""
    return made(tmp_path_factory.mktemp("usual"))


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose COMMIT decides as it is answered."""
    return made(tmp_path_factory.mktemp("answered"), duration=60, decided_at=1)


def test_times_and_settings_are_those_of_the_run(tmp_path: Path) -> None:
    folder = made(tmp_path, think_time="7ms", retry="fixed", retry_base_ms=3, max_attempts=6)
    calibration = read_calibration(folder)
    assert (calibration.accounts, calibration.skew, calibration.users, calibration.rate) == (
        1_000,
        "uniform",
        32,
        None,
    )
    assert calibration.think_s == pytest.approx(0.007)
    assert (calibration.retry.name, calibration.retry.base_s, calibration.retry.max_attempts) == (
        "fixed",
        0.003,
        6,
    )
    known = calibration.key_types["int"]
    (region,) = known.regions
    assert region.attempt_s == pytest.approx(0.016, rel=0.01)
    assert region.window_low_s == pytest.approx(0.002, rel=0.01)
    assert region.window_high_s == pytest.approx(0.014, rel=0.01)
    assert region.between_s < 0.0001
    outcome = outcome_of(folder)
    assert known.conflict_rate.best == pytest.approx(outcome.conflict_rate.best, rel=1e-3)
    assert known.throughput_tps == pytest.approx(outcome.committed_tps, rel=1e-3)


def test_the_conflicts_say_where_commit_decides(answered: Path) -> None:
    """As it is answered: (13 − 2) / (14 − 2) = 0.92 of the way from shortest to longest window."""
    known = read_calibration(answered).key_types["int"]
    assert known.explained
    assert known.placement.low < 11 / 12 < known.placement.high
    assert known.placement.high - known.placement.low < 0.2
    (region,) = known.regions
    # At its place the window is as spread as its parts are: 2 ms, half of 2 ms, 10 ms.
    told = 0.2 * sum(part**2 for part in (1.0, 2.0, 10.0)) ** 0.5 / 13
    # Without the longest half of a per cent, in case it is a stall.
    assert 0.9 * told < region.window_spread < told


def test_what_the_embedded_database_sleeps_first_is_in_every_window(
    answered: Path, tmp_path: Path
) -> None:
    """The same record, said to be of a target with a delay of 6 of COMMIT's 10 ms."""
    folder = tmp_path / "run"
    shutil.copytree(answered, folder)
    without = read_calibration(folder).key_types["int"]
    run = json.loads((folder / "run.json").read_text())
    run["targets"][0] |= {"family": "embedded", "commit_delay_ms": 6.0}
    (folder / "run.json").write_text(json.dumps(run))
    known = read_calibration(folder).key_types["int"]
    (region,), (before,) = known.regions, without.regions
    assert region.window_low_s == pytest.approx(before.window_low_s + 0.006)
    assert region.window_high_s == before.window_high_s
    assert known.explained
    # The window that the conflicts give away is the same, at another place between the ends.
    lengths = [
        one.window_low_s + calibration.placement.best * (one.window_high_s - one.window_low_s)
        for one, calibration in ((region, known), (before, without))
    ]
    assert lengths[0] == pytest.approx(lengths[1], rel=0.01)


def test_the_interval_is_from_pieces_of_the_time() -> None:
    """Twenty pieces of 0.4 s; conflicts that come in bursts say less than as many apart."""
    rng = np.random.default_rng(3)
    start_ns = np.sort(rng.integers(0, 8_000_000_000, 20_000))
    apart = rate_of(start_ns, rng.random(20_000) < 0.1)
    assert apart.high - apart.low == pytest.approx(4 * math.sqrt(0.09 / 20_000), rel=0.5)
    in_bursts = (start_ns // 400_000_000) % 2 == 0
    bursts = rate_of(start_ns, (rng.random(20_000) < 0.2) & in_bursts)
    assert bursts.best == pytest.approx(apart.best, rel=0.1)
    assert bursts.high - bursts.low > 5 * (apart.high - apart.low)


def test_the_interval_holds_the_truth() -> None:
    """Of 400 samples of a known rate, about 95 % of the intervals hold it."""
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(400):
        start_ns = rng.integers(0, 10_000_000_000, 2_000)
        found = rate_of(start_ns, rng.random(2_000) < 0.2)
        held += found.low <= 0.2 <= found.high
    assert held >= 370


@pytest.mark.parametrize(
    "changed",
    [
        {"users": 128},
        {"users": 8, "accounts": 200},
        {"rate": 1500.0, "users": 200},
        {"skew": "zipf:0.8"},
        {"think_time": "50ms"},
    ],
    ids=str,
)
def test_another_setting_comes_out_as_forecast(
    changed: dict[str, Any], usual: Path, tmp_path: Path
) -> None:
    """From one run at 32 users to runs that were not forecast from."""
    calibration = read_calibration(usual)
    words = {name: value for name, value in changed.items() if name != "think_time"}
    if "think_time" in changed:
        words["think_s"] = 0.05
    told = forecast(calibration.workload("int", **words))
    found = outcome_of(made(tmp_path, **changed))
    rate = told.conflict_rate
    assert rate.low < found.conflict_rate.best < rate.high
    assert rate.best == pytest.approx(found.conflict_rate.best, rel=0.1)
    assert told.goodput_tps.best == pytest.approx(found.committed_tps, rel=0.05)


def test_too_few_conflicts_leave_the_window_open(tmp_path: Path) -> None:
    known = read_calibration(made(tmp_path, accounts=10_000_000, duration=5)).key_types["int"]
    assert known.conflicts < 30
    assert known.placement == UNKNOWN_PLACEMENT


def test_key_types_and_regions_have_times_of_their_own(tmp_path: Path) -> None:
    folder = made(
        tmp_path, keys="int,uuid", slower="uuid=2", regions="east,west",
        round_trips="east/west=30", decided_in="east", users=40,
    )  # fmt: skip
    calibration = read_calibration(folder)
    one, other = (calibration.key_types[key].regions for key in ("int", "uuid"))
    assert [region.name for region in one] == ["east", "west"]
    assert one[1].attempt_s - one[0].attempt_s == pytest.approx(0.03, rel=0.05)
    assert other[0].attempt_s == pytest.approx(2 * one[0].attempt_s, rel=0.05)
    assert [region.share for region in one] == [20, 20]


def test_an_open_loop_is_asked_for_by_its_rate(tmp_path: Path) -> None:
    calibration = read_calibration(made(tmp_path, rate=500, users=None))
    own = calibration.workload("int")
    assert (own.rate, own.evenly) == (500, True)
    closed = calibration.workload("int", users=64)
    assert (closed.rate, closed.users) == (None, 64)
    assert calibration.workload("int", rate=100).users == calibration.users


@pytest.mark.parametrize("rate", [75.0, 300.0])
def test_an_open_loop_forecasts_itself(rate: float, tmp_path: Path) -> None:
    """At 75 a second hardly any two evenly spaced first attempts meet, but for the spread."""
    options = {"rate": rate, "users": None, "accounts": 100, "spread": 0.3, "duration": 200}
    calibration = read_calibration(made(tmp_path, **options))
    known = calibration.key_types["int"]
    told = forecast(calibration.workload("int")).conflict_rate
    assert known.conflicts > 100
    assert known.explained
    assert told.best == pytest.approx(known.conflict_rate.best, rel=0.02)
    assert told.low < known.conflict_rate.best < told.high


@pytest.mark.parametrize("rate", [0, 1])
def test_none_of_a_few_is_not_never(rate: int) -> None:
    start_ns = np.arange(50) * 10**8
    found = rate_of(start_ns, np.full(50, bool(rate)))
    assert found.best == rate
    assert 0.05 < found.high - found.low < 0.15
    assert found.low == 0 or found.high == 1


def test_a_rate_that_nothing_explains_is_told(usual: Path, tmp_path: Path) -> None:
    """The run says 1,000,000 accounts, but its conflicts are those of 1,000."""
    folder = tmp_path / "run"
    shutil.copytree(usual, folder)
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"accounts": 1000,', '"accounts": 1000000,'))
    calibration = read_calibration(folder)
    assert calibration.accounts == 1_000_000
    assert not calibration.key_types["int"].explained
    assert calibration.key_types["int"].placement.best == 1


def test_what_cannot_be_a_basis_is_refused_in_one_line(tmp_path: Path) -> None:
    apart = {name: {"data": name} for name in ("a", "b")}
    fake = FakeRun(duration_s=2, tps=200, targets=("a", "b"), systems=apart)
    write_fake_run(tmp_path / "apart", fake)
    with pytest.raises(InputError, match="one database"):
        read_calibration(tmp_path / "apart")
    write_fake_run(tmp_path / "other", replace(fake, targets=("a",), systems={}))
    path = tmp_path / "other" / "run.json"
    path.write_text(path.read_text().replace('"skew": "uniform"', '"skew": "what"'))
    with pytest.raises(InputError, match="skew"):
        read_calibration(tmp_path / "other")
    with pytest.raises(InputError, match="not a folder"):
        read_calibration(tmp_path / "nowhere")
