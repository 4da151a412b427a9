"""The numbers in the live line."""

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loadtest.engine.live import LiveLine, Tally, line
from loadtest.process.progress import Progress
from loadtest.record.attempt import RECORD_DTYPE
from loadtest.record.outcome import OUTCOME_CODE, Outcome

MILLISECONDS = st.floats(0.02, 100_000)
ROW = st.tuples(st.sampled_from(list(Outcome)), st.integers(1, 5), st.booleans(), MILLISECONDS)
ROWS = st.lists(ROW, max_size=60)
Rows = list[tuple[Outcome, int, bool, float]]


def packed(rows: Rows) -> NDArray[np.void]:
    made = np.zeros(len(rows), RECORD_DTYPE)
    for index, (outcome, attempt, final, ms) in enumerate(rows):
        made[index]["outcome"] = OUTCOME_CODE[outcome]
        made[index]["attempt"] = attempt
        made[index]["final"] = final
        made[index]["intended_start_ns"] = 5_000_000
        made[index]["begin_sent_ns"] = 7_000_000  # 2 ms late, which count
        made[index]["ended_ns"] = 5_000_000 + round(ms * 1e6)
    return made


def as_text(tally: Tally) -> str:
    return json.dumps(tally.as_message())


@given(ROWS)
def test_what_is_counted(rows: Rows) -> None:
    tally = Tally.of(packed(rows))
    conflicts = {
        "conflict_data",
        "conflict_schema",
        "conflict_serialization",
        "deadlock",
        "lock_timeout",
    }
    assert tally.attempts == len(rows)
    assert tally.committed == sum(row[0] == "committed" for row in rows)
    assert tally.conflicts == sum(row[0] in conflicts for row in rows)
    assert tally.retried == sum(row[1] > 1 for row in rows)
    counts = conflicts | {"committed"}
    assert tally.decided == sum(row[0] in counts for row in rows)
    assert tally.latencies.sum() == sum(row[2] and row[0] in counts for row in rows)
    assert tally.given_up == sum(row[2] and row[0] in conflicts for row in rows)
    assert tally.lost == sum(row[2] and row[0] not in counts for row in rows)


@given(ROWS, ROWS)
def test_two_processes_add_up_to_one(one: Rows, other: Rows) -> None:
    added = Tally.of(packed(one))
    added.add(Tally.of(packed(other)))
    assert as_text(added) == as_text(Tally.of(packed(one + other)))


@given(ROWS)
def test_a_message_brings_everything(rows: Rows) -> None:
    tally = Tally.of(packed(rows))
    message: dict[str, Any] = json.loads(as_text(tally))
    assert as_text(Tally.from_message(message)) == as_text(tally)
    assert np.array_equal(Tally.from_message(message).latencies, tally.latencies)


@given(st.lists(MILLISECONDS, min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_percentiles_are_within_two_hundredths(latencies: list[float], share: float) -> None:
    tally = Tally.of(packed([(Outcome.COMMITTED, 1, True, ms) for ms in latencies]))
    result = tally.latency_ms(share)
    exact = float(np.percentile(latencies, share * 100, method="inverted_cdf"))
    assert result == pytest.approx(exact, rel=0.02)


def test_without_transactions_there_is_no_percentile() -> None:
    assert Tally().latency_ms(0.5) is None
    assert Tally.of(packed([(Outcome.COMMITTED, 1, False, 5.0)])).latency_ms(0.5) is None


def test_latencies_off_the_scale_are_kept() -> None:
    tally = Tally.of(packed([(Outcome.COMMITTED, 1, True, ms) for ms in (0.001, 1e9)]))
    assert tally.latencies.sum() == 2
    assert tally.latency_ms(1.0) is not None


def test_the_line() -> None:
    rows: Rows = [(Outcome.COMMITTED, 2, True, 4.0)] * 15 + [(Outcome.CONFLICT_DATA, 1, False, 4.0)]
    text = line("measuring", 12.0, 1032, Tally.of(packed(rows)), 1.0)
    for words in (
        "12 s measuring",
        "1,032 users",
        "15 txn/s",
        "conflicts 6.25 %",
        "retries 15/s",
        "p50 4",
    ):
        assert words in text
    idle = line("warming up", 0.0, 0, Tally(), 1.0)
    assert "0 txn/s" in idle
    assert "nan" not in idle


def test_without_a_terminal_it_is_a_line_every_few_seconds() -> None:
    stream = io.StringIO()

    def clock() -> float:
        return now

    now = 0.0
    live = LiveLine(Progress(stream, clock=clock), clock=clock)
    rows: Rows = [(Outcome.COMMITTED, 1, True, 4.0)] * 10
    for second in range(10):
        now = second + 1.0
        live.show("measuring", second, 4, Tally.of(packed(rows)))
    assert stream.getvalue().count("\n") == 2
    assert stream.getvalue().count("10 txn/s") == 2
    assert "\x1b" not in stream.getvalue()


@given(ROWS, ROWS)
def test_each_target_is_counted(one: Rows, other: Rows) -> None:
    east, west = packed(one), packed(other)
    west["target"] = 1
    tally = Tally.of(east)
    tally.add(Tally.from_message(json.loads(as_text(Tally.of(west)))))
    for index, rows in enumerate((one, other)):
        assert tally.by_target[index] == sum(row[0] == "committed" for row in rows)


def test_several_targets_are_named_in_the_line() -> None:
    rows = packed([(Outcome.COMMITTED, 1, True, 4.0)] * 40 + [(Outcome.CONFLICT_DATA, 1, False, 4.0)])
    rows["target"][:10] = 1
    tally = Tally.of(rows)
    assert line("measuring", 2, 8, tally, 2.0, ["east", "west", "down"]).endswith(
        "east 15/s, west 5/s, down 0/s"
    )
    assert "east" not in line("measuring", 2, 8, tally, 2.0, ["east"])
