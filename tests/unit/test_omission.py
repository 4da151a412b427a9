"""What a closed loop leaves out: what arrivals would have met, against arrivals themselves."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from reports.analysis.over_time.omission import Omission, omissions
from reports.analysis.ranks import Ranks
from reports.analysis.reading.attempts import open_attempts
from tests.examples import at_most
from tests.run_folders import BEGIN_NS, table_of, write_attempts

Floats = NDArray[np.float64]
S = 1_000_000_000


def omission(began: Floats, took: Floats, length_s: float) -> Omission:
    """Of transactions that started at these seconds and took so long."""
    start_ns, ns = BEGIN_NS + np.round(began * S).astype(np.int64), np.round(took * S).astype(np.int64)
    plain = table_of([{}] * len(began))
    for name, values in {
        "intended_start_ns": start_ns, "begin_sent_ns": start_ns, "begin_answered_ns": start_ns,
        "first_answered_ns": start_ns, "commit_sent_ns": start_ns + ns, "ended_ns": start_ns + ns,
    }.items():  # fmt: skip
        plain = plain.set_column(plain.schema.get_field_index(name), name, pa.array(values))
    with tempfile.TemporaryDirectory() as folder:
        write_attempts(Path(folder), plain)
        with open_attempts(Path(folder)) as attempts:
            latencies = Ranks(attempts, "attempts WHERE counted", "latency_ns", ("target",))
            ((_, found),) = omissions(attempts, BEGIN_NS, length_s, latencies).values()
    return found


def latency_at(begin: float, service: float, stalls: list[tuple[float, float]]) -> float:
    """A server of which nothing is answered within a stall: who is in it waits for its end."""
    end = begin + service
    for since, until in stalls:
        if begin < until and end > since:
            end += until - max(since, begin)
    return end - begin


def closed_loop(
    users: int, length: float, stalls: list[tuple[float, float]], think: float = 0.0, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """(starts, latencies) of users that wait for their answers."""
    rng = np.random.default_rng(seed)
    began, took = [], []
    for _ in range(users):
        now = float(rng.uniform(0, 0.01))
        while now < length:
            latency = latency_at(now, float(rng.lognormal(np.log(0.01), 0.3)), stalls)
            began.append(now)
            took.append(latency)
            now += latency + (float(rng.exponential(think)) if think else 0.0)
    return np.array(began), np.array(took)


def truth(length: float, stalls: list[tuple[float, float]], seed: int = 2) -> float:
    """The p99 of arrivals that come whatever the server does."""
    rng = np.random.default_rng(seed)
    moments, services = rng.uniform(0, length, 100_000), rng.lognormal(np.log(0.01), 0.3, 100_000)
    pairs = zip(moments, services, strict=True)
    return float(np.quantile([latency_at(t, s, stalls) for t, s in pairs], 0.99))


STALLS = (
    [(20.0, 23.0)],
    [(5.0, 5.4), (12.0, 12.4), (30.0, 30.4), (44.0, 44.4)],
    [(3.0, 3.2), (40.0, 46.0)],
)


@pytest.mark.parametrize("users", [1, 4, 16])
@pytest.mark.parametrize("think", [0.0, 0.05])
@pytest.mark.parametrize("stalls", STALLS)
def test_it_finds_what_arrivals_met(
    users: int, think: float, stalls: list[tuple[float, float]]
) -> None:
    found = omission(*closed_loop(users, 50.0, stalls, think), 50.0)
    # Few users that think for long may come late into a stall.
    assert found.p99_s == pytest.approx(truth(50.0, stalls), rel=0.1 if users * 0.01 > think else 0.35)
    assert found.longest_s == pytest.approx(max(b - a for a, b in stalls), rel=0.1, abs=0.05)
    assert found.share == pytest.approx(sum(b - a for a, b in stalls) / 50, rel=0.15, abs=0.03)


def test_the_loop_itself_does_not() -> None:
    began, took = closed_loop(4, 50.0, [(20.0, 23.0)])
    assert float(np.quantile(took, 0.99)) < 0.03
    assert omission(began, took, 50.0).p99_s > 2.0


@pytest.mark.parametrize(("users", "think"), [(1, 0.0), (1, 0.2), (16, 0.0), (16, 0.2)])
def test_without_stalls_nothing_is_added(users: int, think: float) -> None:
    began, took = closed_loop(users, 50.0, [], think)
    assert omission(began, took, 50.0).p99_s == pytest.approx(float(np.quantile(took, 0.99)), rel=0.1)


def test_transactions_that_are_slow_by_themselves_are_no_stall() -> None:
    """Five in a hundred retry for up to two seconds while the others go on: nobody was held back."""
    rng = np.random.default_rng(3)
    began = np.sort(rng.uniform(0, 50, 100_000))
    took = np.where(rng.random(100_000) < 0.05, rng.uniform(0, 2, 100_000), 0.01)
    found = omission(began, took, 50.0)
    assert (found.share, found.longest_s) == (0, 0)
    assert found.p99_s == pytest.approx(float(np.quantile(took, 0.99)))


def test_the_order_of_the_record_does_not_matter() -> None:
    began, took = closed_loop(4, 50.0, [(20.0, 23.0)])
    order = np.random.default_rng(1).permutation(len(began))
    assert omission(began, took, 50.0) == omission(began[order], took[order], 50.0)


def test_at_the_end_the_one_that_would_have_ended_next_counts_as_long_as_was_measured() -> None:
    """The last two end after the measured time: the first of them had waited for 2.9 s of it."""
    began = np.array([*np.arange(0, 2, 0.01), 2.01, 2.1])
    took = np.array([*np.full(200, 0.01), 3.5, 3.2])
    found = omission(began, took, 5.0)
    assert found.longest_s == pytest.approx(2.9)
    assert found.share == pytest.approx(2.9 / 5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.floats(0, 0.1))
@example(seed=1892, users=2, think=0.0859375)
@at_most(15)
def test_stalls_are_those_of_the_sorted_record(seed: int, users: int, think: float) -> None:
    """Against the definition: every end, and the one before it."""
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.uniform(0, 5, 6))
    stalls = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    began, took = closed_loop(users, 5.0, stalls, think, seed)
    order = np.argsort(began + took, kind="stable")
    ends = np.minimum((began + took)[order], 5.0)
    wanted = ends - np.maximum(np.append(0.0, ends[:-1]), began[order])
    wanted = wanted[wanted > 2 * np.median(took)]
    found = omission(began, took, 5.0)
    # A record has whole nanoseconds.
    assert found.share == pytest.approx(min(1.0, wanted.sum() / 5), abs=1e-7)
    assert found.longest_s == pytest.approx(wanted.max(initial=0.0), abs=1e-8)
