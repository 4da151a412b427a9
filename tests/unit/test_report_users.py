"""How many users worked, where it is not how many were asked for."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.record.outcome import Outcome
from loadtest.record.run import Config, Generator, Run
from reports import summarise
from reports.analysis.reading.nothing import Last, nothing_measured
from tests.run_folders import FakeRun, run_json, write_fake_run

SMALL: dict[str, Any] = {
    "keys": ("int",), "tps": 600.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 0.0, "users": 32,
}  # fmt: skip


def summary(folder: Path, asked: int, **changes: Any) -> dict[str, Any]:
    fake = {**SMALL, **changes}
    more = fake.pop("config", {})
    config = run_json(FakeRun(**fake))["config"] | {"users": asked, **more}
    generators = fake.pop("generators", None)
    run = {"config": config} | ({"generators": generators} if generators else {})
    return summarise(write_fake_run(folder, FakeRun(**fake, run=run)))


def about_users(found: dict[str, Any]) -> list[str]:
    return [v["text"] for v in found["verdicts"] if v["about"] == "users" and v["state"] == "bad"]


def test_as_many_as_were_asked_for_need_no_word(tmp_path: Path) -> None:
    found = summary(tmp_path, 32)
    assert found["users"] == {"asked": 32, "committed": 32}
    assert not about_users(found)
    assert found["answer"]["lede"].startswith("32 users, ")


def test_fewer_are_said_first(tmp_path: Path) -> None:
    found = summary(tmp_path, 40)
    assert found["users"] == {"asked": 40, "committed": 32}
    assert found["answer"]["headline"].startswith("Only 32 of 40 users committed anything. ")
    assert found["answer"]["lede"].startswith("32 users, ")
    (text,) = about_users(found)
    assert text.startswith("32 of 40 users committed anything in the measured time.")


def test_more_are_a_note(tmp_path: Path) -> None:
    """They are those of a worker that ended, started again on another."""
    found = summary(tmp_path, 30)
    assert "users" not in found["answer"]["headline"]
    assert found["answer"]["lede"].startswith("32 users, ")
    (said,) = [v for v in found["verdicts"] if v["about"] == "users"]
    assert said["state"] == "note"
    assert said["text"].startswith("32 users committed, and 30 users were asked for: more were started")


def test_an_open_loop_with_few_transactions_needs_few_users(tmp_path: Path) -> None:
    assert not about_users(summary(tmp_path / "few", 5000, rate=600.0))
    assert about_users(summary(tmp_path / "many", 100, rate=600.0))


def test_a_closed_loop_with_long_think_times_needs_few_users(tmp_path: Path) -> None:
    assert not about_users(summary(tmp_path / "few", 5000, config={"think_time": 30.0}))
    assert about_users(summary(tmp_path / "many", 100, config={"think_time": 0.1}))
    assert about_users(summary(tmp_path / "none", 5000))


def run(**changes: Any) -> Run:
    """Measured from 1 s to 6 s."""
    facts = {"config": Config(users=16), "measured_from_ns": 10**9, "ended_ns": 9 * 10**9}
    return Run.model_validate({**facts, "measured_until_ns": 6 * 10**9, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ended_ns": None}, "the run never measured"),
        ({"measured_from_ns": None, "measured_until_ns": None}, "its time was over before all users"),
        (
            {"measured_from_ns": None, "measured_until_ns": None, "interrupted": True},
            "the run was interrupted before all of its users",
        ),
        ({"measured_until_ns": 10**9}, "its time was over before its warm-up had ended"),
        (
            {"measured_until_ns": 10**9, "interrupted": True},
            "the run was interrupted before its warm-up had ended",
        ),
        (
            {
                "generators": [
                    Generator(worker=0, without_session=9),
                    Generator(worker=0, without_session=7),
                ]
            },
            "16 of 16 users never had a session, for the target did not answer their connections",
        ),
        (
            {
                "generators": [
                    Generator(worker=0, without_session=16, why_no_session="no route to host")
                ]
            },
            "16 of 16 users never had a session, for the target said: no route to host",
        ),
        ({}, "no transaction was due in the 5 s after the warm-up"),
    ],
)
def test_why_nothing_was_measured(changes: dict[str, Any], words: str) -> None:
    error = nothing_measured("nothing: ", run(**changes))
    assert str(error).startswith(f"nothing: {words}")
    assert error.exit_code == (3 if "generators" in changes else 2)


@pytest.mark.parametrize(
    ("ended_s", "outcome", "words", "status"),
    [
        (6.5, Outcome.AMBIGUOUS, "the target answered nothing in the 5 s that were measured", 3),
        (6.5, Outcome.COMMITTED, "the target answered nothing in the 5 s that were measured", 3),
        (0.9, Outcome.ERROR, "the last attempt before the measured time failed (error)", 3),
        (1.5, Outcome.COMMITTED, "no transaction was due", 2),
        (0.9, Outcome.CONFLICT_DATA, "no transaction was due", 2),
        (0.9, Outcome.REFUSED, "no transaction was due", 2),
    ],
)
def test_the_last_attempt_says_whether_it_was_the_target(
    ended_s: float, outcome: Outcome, words: str, status: int
) -> None:
    error = nothing_measured("", run(), Last(round(ended_s * 1e9), outcome))
    assert str(error).startswith(words)
    assert error.exit_code == status


def test_within_the_warm_up_nothing_was_asked_for() -> None:
    """Whatever became of its attempts: the run was too short."""
    error = nothing_measured("", run(measured_until_ns=10**9), Last(10**9, Outcome.CONNECTION_LOST))
    assert str(error) == "its time was over before its warm-up had ended"
    assert error.exit_code == 2
