"""The clock of a run, and what Locust's own timer leaves of a run."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtest.config.run import RunConfig
from loadtest.engine import clock
from loadtest.engine.clock import Clock
from loadtest.engine.plan import Plan
from loadtest.engine.run import Run
from tests.commands import environment

HOUR_NS = 3600 * 10**9
WALL_NS, STEADY_NS = 1_767_225_600_000_000_000, 4711 * 10**9
"""What the two clocks of the machine say; no time passes in these tests."""


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "time_ns", lambda: WALL_NS)
    monkeypatch.setattr(clock, "monotonic_ns", lambda: STEADY_NS)


def test_it_is_the_wall_clock_of_the_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Clock()
    assert abs(made.now_ns() - WALL_NS) < 10**9
    before = made.now_ns()
    monkeypatch.setattr(clock, "time_ns", lambda: WALL_NS - HOUR_NS)
    assert before <= made.now_ns() < before + 10**9, "whatever became of the wall clock"


def test_processes_of_one_machine_have_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Clock()
    message = made.to_message()
    monkeypatch.setattr(clock, "time_ns", lambda: WALL_NS - HOUR_NS)
    assert Clock.from_message(message) == made


@pytest.mark.parametrize("change", [{"machine": "another"}, {"sent_ns": STEADY_NS + 10**15}])
def test_another_machine_has_its_own_wall_clock_where_it_agrees(change: dict[str, Any]) -> None:
    """A machine's name alone proves nothing: containers may have a monotonic clock of their own."""
    there = {**Clock().to_message(), **change}
    there["anchor_ns"] = WALL_NS - there["sent_ns"]
    clock_there = Clock.from_message(there)
    assert abs(clock_there.now_ns() - WALL_NS) < 10**9
    # An hour apart, the moment of the message ties the two together.
    there["anchor_ns"] += HOUR_NS
    clock_there = Clock.from_message(there)
    assert abs(clock_there.now_ns() - WALL_NS - HOUR_NS) < 10**9


LOCUSTS_TIME = """
import locust
from time import monotonic
import loadtest.locust.wiring
from locust import runners
print(abs(runners.time.time() - monotonic()) < 1000)
"""


def test_locust_tells_time_by_no_wall_clock() -> None:
    """Its workers leave after a minute without their master, and its orders are told apart by time.

    In a process of its own: importing Locust changes how the standard library waits.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOCUSTS_TIME],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout == "True\n", done.stderr


@pytest.fixture
def run(tmp_path: Path) -> Run:
    config = RunConfig.read(users=4, duration="8s", warmup="1s", block="1s", keys="int,uuid")
    plan = Plan(config=config, accounts=100, key_seeds={}, totals={}, targets=[], servers=[])
    # Begun ten seconds ago, of which Locust's timer counts every one.
    return Run(plan, tmp_path, Clock(), Clock().now_ns() - 10 * 10**9)


def began(run: Run, seconds_ago: float) -> None:
    run.started_ns = run.clock.now_ns() - round(seconds_ago * 1e9)


@pytest.mark.parametrize(("spawning_s", "left_s"), [(0.3, 8.0), (2.04, 5.9), (4.3, 3.6)])
def test_what_the_timer_leaves_is_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch, spawning_s: float, left_s: float
) -> None:
    monkeypatch.setattr(Run, "_write", lambda self: None, raising=False)
    run.run_time_s = 9.0
    began(run, spawning_s)
    moment = run.measure(1.0)
    assert run.measured_from_ns == moment
    assert run.plan.config.duration == pytest.approx(left_s, abs=0.11)
    blocks = (run.plan.config.duration or 0) / run.plan.config.block
    assert blocks == pytest.approx(round(blocks)), "whole blocks"
    assert round(blocks) % 2 == 0, "and whole groups"
    began(run, 9.0)
    run.stopping()
    assert not run.interrupted, "its time was over"


def test_who_stops_it_before_its_time_interrupts_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "_write", lambda self: None, raising=False)
    run.run_time_s = 9.0
    began(run, 0.0)
    run.measure(1.0)
    began(run, 5.0)
    run.stopping()
    assert run.interrupted


@pytest.mark.parametrize(("after_s", "interrupted"), [(9.0, False), (5.0, True)])
def test_users_that_were_never_all_there_interrupt_nothing(
    run: Run, after_s: float, interrupted: bool
) -> None:
    run.run_time_s = 9.0
    began(run, after_s)
    run.stopping()
    assert run.interrupted is interrupted
