"""What a report admits: few conflicts, a closed loop's blind eye, and that nothing real was there."""

from pathlib import Path
from typing import Any

import pytest

from reports import summarise, write_report
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run

MS = 1_000_000
SMALL: dict[str, Any] = {"tps": 300.0, "duration_s": 6.0, "block_s": 1.0}
CONFLICT = {"outcome": "conflict_data", "sqlstate": "40001"}


def lines(folder: Path, about: str) -> list[dict[str, str]]:
    return [v for v in summarise(folder)["verdicts"] if v["about"] == about]


# Few conflicts


def with_conflicts(folder: Path, conflicts: int, attempts: int) -> Path:
    rows: list[dict[str, Any]] = [{} for _ in range(attempts)]
    for row in rows[:conflicts]:
        row |= CONFLICT
    return hand_made(folder, rows)


def test_few_conflicts_are_given_with_their_interval(tmp_path: Path) -> None:
    folder = with_conflicts(tmp_path, 7, 1000)
    (line,) = lines(folder, "few conflicts")
    assert line["state"] == "note"
    assert "int: 7 conflicts, a rate between 0.34" in line["text"]
    assert summarise(folder)["overall"]["conflict_rate_interval"] == pytest.approx(
        {"low": 0.003395, "high": 0.014376}, rel=1e-3
    )


def test_no_conflict_is_no_proof_of_none(tmp_path: Path) -> None:
    (line,) = lines(with_conflicts(tmp_path, 0, 1000), "few conflicts")
    assert "no conflict in 1,000 attempts, a rate of up to 0.38" in line["text"]


@pytest.mark.parametrize(("conflicts", "told"), [(99, 1), (100, 0)])
def test_enough_conflicts_need_no_line(tmp_path: Path, conflicts: int, told: int) -> None:
    assert len(lines(with_conflicts(tmp_path, conflicts, 2000), "few conflicts")) == told


# The closed loop


def stalled(folder: Path, stall_ms: int) -> Path:
    """Four users for a second at 1 ms each; in the middle nothing is answered for a while."""
    rows: list[dict[str, Any]] = []
    for user in range(4):
        now = 0.0
        while now < 1000:
            ends = 400.0 + stall_ms if now + 1 >= 400 and now < 400 + stall_ms else now + 1
            rows.append(
                {
                    "user": user, "statements_ns": round((ends - now) * MS), "commit_ns": 0,
                    "start_ns": BEGIN_NS + round(now * MS),
                    "intended_start_ns": BEGIN_NS + round(now * MS),
                }
            )  # fmt: skip
            now = ends
    return hand_made(folder, rows)


def test_a_closed_loop_says_what_a_stall_hides(tmp_path: Path) -> None:
    folder = stalled(tmp_path, 300)
    (line,) = lines(folder, "loop")
    assert summarise(folder)["overall"]["latency_ms"]["p99"] == pytest.approx(1.0)
    # Three tenths of the arrivals come into it, and one in a hundred in its first 10 ms.
    assert "an even pace would have met a p99 of at least 29" in line["text"]
    assert "instead of 1.0" in line["text"]
    assert line["state"] == "note"


def test_a_closed_loop_without_stalls_does_not_say_that_arrivals_would_fare_the_same(
    tmp_path: Path,
) -> None:
    (line,) = lines(stalled(tmp_path, 0), "loop")
    assert "No stall made it worse here; what queues of independent arrivals would add" in line["text"]
    assert "same" not in line["text"]
    assert "hardly" not in line["text"]


def test_where_nothing_was_committed_nothing_is_judged(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"outcome": "connect_failed", "commit_ns": 0} for _ in range(2000)]
    summary = summarise(hand_made(tmp_path, rows))
    told = {v["about"] for v in summary["verdicts"]}
    assert not told & {"prediction, int", "few conflicts", "warm-up"}
    assert summary["answer"]["headline"] == "Nothing was committed."
    assert "made it worse" not in " ".join(v["text"] for v in summary["verdicts"])


def test_what_failed_is_not_compared(tmp_path: Path) -> None:
    fake = FakeRun(**{**SMALL, "duration_s": 12.0}, conflict=0.0, refused=1.0)
    folder = write_fake_run(tmp_path, fake)
    (found,) = summarise(folder)["comparisons"]
    for metric in ("conflict_rate", "throughput_tps", "latency_p50_ms", "latency_p99_ms"):
        assert found[metric]["low"] is None


def test_one_user_needs_no_longer_run(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"start_ns": BEGIN_NS + i * 5 * MS, "intended_start_ns": BEGIN_NS + i * 5 * MS}
        for i in range(500)
    ]
    folder = hand_made(tmp_path, rows, config={"users": 1})
    assert summarise(folder)["overall"]["predicted_conflict_rate"]["high"] == 0
    assert not lines(folder, "few conflicts")


def test_an_open_loop_leaves_nothing_out(tmp_path: Path) -> None:
    folder = write_fake_run(tmp_path, FakeRun(**SMALL, rate=300.0))
    (line,) = lines(folder, "loop")
    assert "even pace" not in line["text"]


# Simulated runs


@pytest.fixture
def simulated(tmp_path: Path) -> Path:
    """As `occbench simulate` writes it, on a target that says the worst of itself."""
    facts = {"simulated": True, "generators": [], "invariant": []}
    systems = {"embedded": {"family": "simulated", "durable": False}}
    return write_fake_run(tmp_path, FakeRun(**SMALL, systems=systems, run=facts))


def test_a_simulated_run_says_so_and_nothing_of_what_was_not_there(simulated: Path) -> None:
    told = {verdict["about"] for verdict in summarise(simulated)["verdicts"]}
    assert "simulated" in told
    assert not told & {"generator", "processes", "lost attempts", "durability", "invariant", "service"}
    (line,) = lines(simulated, "simulated")
    assert line["text"].startswith("Simulated: no database was there")


@pytest.mark.usefixtures("undrawn")
def test_its_page_has_no_word_about_the_tool_or_the_disk(simulated: Path) -> None:
    page = write_report(simulated).read_text(encoding="utf-8")
    assert "Simulated: no database was there" in page
    assert "how busy the tool itself was" not in page
    assert "safe on disk" not in page


def test_a_measured_run_is_asked_everything(tmp_path: Path) -> None:
    told = {v["about"] for v in summarise(write_fake_run(tmp_path, FakeRun(**SMALL)))["verdicts"]}
    assert {"generator", "invariant", "warm-up", "loop"} <= told
    assert "simulated" not in told
