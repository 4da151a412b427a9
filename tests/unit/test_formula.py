"""How often two transactions meet."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.prediction import formula
from loadtest.prediction.answer import explain
from loadtest.prediction.formula import (
    conflict_probability,
    conflict_probability_evenly,
    conflict_rate_of_attempts,
    predict,
)
from loadtest.workload.access import parse_access
from tests.examples import at_most

RATES = st.floats(0, 1e5)
WINDOWS = st.floats(0, 10)


@pytest.mark.parametrize(
    ("accounts", "rate", "latency_ms", "expected", "printed"),
    [
        (1_000, 909, 20.12, 1 - math.exp(-909 * 0.02012 * 4 / 1_000), "7.06 %"),
        (1_000_000, 4192, 409.45, 1 - math.exp(-4192 * 0.40945 * 4 / 1_000_000), "0.684 %"),
    ],
)
def test_the_published_runs(
    accounts: int, rate: float, latency_ms: float, expected: float, printed: str
) -> None:
    prediction = predict(parse_access("uniform", accounts), rate, latency_ms / 1000)
    assert prediction.poisson == pytest.approx(expected)
    assert prediction.sum_q_squared == 4 / accounts
    text = explain(prediction, "uniform", accounts, rate, latency_ms)
    assert printed in text
    assert f"{accounts:,} accounts" in text
    evenly, randomly = re.findall(r"(\d\.\d+) %", text)
    assert float(evenly) / 100 == pytest.approx(prediction.evenly, abs=5.1e-5)
    assert float(randomly) / 100 == pytest.approx(expected, abs=5.1e-5)


def test_the_published_measurements_are_near() -> None:
    """6.56 % of 10,000 calls failed; 0.667 % retries a call."""
    first = conflict_probability(909, 0.02012, 4 / 1_000)
    assert first == pytest.approx(0.0656, rel=0.1)
    second = conflict_probability(4192, 0.40945, 4 / 1_000_000)
    assert second / (1 - second) == pytest.approx(0.006667, rel=0.05)


@given(RATES, WINDOWS, st.floats(0, 4))
def test_a_probability_is_one(rate: float, window: float, q: float) -> None:
    assert 0 <= conflict_probability(rate, window, q) <= 1
    assert 0 <= conflict_probability_evenly(rate, window, min(q, 1.0)) <= 1


@given(RATES, WINDOWS, st.floats(1e-6, 1), st.floats(1.01, 10))
def test_more_of_anything_means_more_conflicts(
    rate: float, window: float, q: float, factor: float
) -> None:
    here = conflict_probability(rate, window, q)
    assert conflict_probability(rate * factor, window, q) >= here
    assert conflict_probability(rate, window * factor, q) >= here
    assert conflict_probability(rate, window, q * factor) >= here


def test_the_ends() -> None:
    assert conflict_probability(0, 1, 1) == 0
    assert conflict_probability(1, 0, 1) == 0
    assert conflict_probability_evenly(0, 1, 0.5) == 0
    assert conflict_probability_evenly(10, 1, 1.0) == 1
    assert conflict_probability_evenly(10, 0.1, 0.3) == pytest.approx(0.3)
    # Half of all windows see one commit, or a quarter one and all others two.
    assert conflict_probability_evenly(10, 0.05, 0.3) == pytest.approx(0.15)
    assert conflict_probability_evenly(10, 0.05, 1.0) == pytest.approx(0.5)
    assert conflict_probability_evenly(10, 0.175, 0.5) == pytest.approx(0.25 * 0.5 + 0.75 * 0.75)
    # Small probabilities keep their digits.
    assert conflict_probability(1e-9, 1e-9, 1e-3) == pytest.approx(1e-21)


@at_most(50)
@given(st.integers(100, 100_000), st.floats(0.01, 2), st.sampled_from([0, 1, 3, 10]))
def test_where_access_is_uniform_the_retries_change_nothing(
    accounts: int, conflicts: float, most: int
) -> None:
    rate = 1000.0
    window = conflicts * accounts / 4 / rate
    law = parse_access("uniform", accounts)
    expected = conflict_probability(rate, window, law.sum_q_squared())
    found = conflict_rate_of_attempts(law, rate, window, max_attempts=most, evenly=False)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("skew", ["zipf:0.8", "zipf:1.1", "hotspot:0.9/0.1"])
def test_popular_accounts_are_tried_again_and_again(skew: str) -> None:
    law = parse_access(skew, 1000)
    once, thrice, endless = (
        conflict_rate_of_attempts(law, 1000, 0.02, max_attempts=most, evenly=False)
        for most in (1, 3, 0)
    )
    assert once < thrice < endless < 1


@pytest.mark.parametrize("most", [1, 4])
@pytest.mark.parametrize("skew", ["uniform", "zipf:0.8", "zipf:1.1", "hotspot:0.9/0.1"])
@pytest.mark.parametrize("evenly", [False, True])
def test_a_monte_carlo_of_the_retry_population_agrees(skew: str, most: int, evenly: bool) -> None:
    """Draw transactions, and try each until it is spared or has no attempts left."""
    accounts, rate, window = 500, 1000.0, 0.02
    law = parse_access(skew, accounts)
    rng = np.random.default_rng(5)
    p = np.concatenate(list(law.probabilities()))
    payer = law.draw_ranks(rng, 200_000)
    payee = law.draw_ranks(rng, 200_000)
    different = payer != payee
    payer, payee = payer[different], payee[different]
    q = np.concatenate(list(law.writes_per_transfer()))
    assert p.sum() == pytest.approx(1)
    attempts = conflicts = 0
    for _ in range(most):
        attempts += len(payer)
        if evenly:
            spared = np.ones(len(payer), bool)
            for key in (payer, payee):
                spared &= rng.random(len(key)) >= np.minimum(1, rate * window * q[key])
        else:
            # Commits to the two accounts within the window, counted.
            spared = (
                rng.poisson(rate * window * q[payer]) + rng.poisson(rate * window * q[payee])
            ) == 0
        payer, payee = payer[~spared], payee[~spared]
        conflicts += len(payer)
    predicted = conflict_rate_of_attempts(law, rate, window, max_attempts=most, evenly=evenly)
    # Independent draws of the two accounts, bins of like keys: a fiftieth apart is agreement.
    assert conflicts / attempts == pytest.approx(predicted, rel=0.02, abs=0.003)


@pytest.mark.parametrize("skew", ["uniform", "zipf:0.8", "zipf:1.1", "hotspot:0.9/0.1"])
@pytest.mark.parametrize("evenly", [False, True])
def test_classes_of_very_many_accounts_say_the_same(
    skew: str, evenly: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    law = parse_access(skew, 200_000)
    for window in (0.001, 0.1, 5):
        each = conflict_rate_of_attempts(law, 1000, window, max_attempts=4, evenly=evenly)
        with monkeypatch.context() as patch:
            patch.setattr(formula, "_COUNTED", 1000)
            alike = conflict_rate_of_attempts(law, 1000, window, max_attempts=4, evenly=evenly)
        assert alike == pytest.approx(each, rel=0.01)


def test_a_hopeless_law_stays_a_number() -> None:
    law = parse_access("zipf:2.5", 2)
    for evenly in (False, True):
        for most in (0, 1, 10):
            rate = conflict_rate_of_attempts(law, 1e6, 10, max_attempts=most, evenly=evenly)
            assert 0.99 <= rate <= 1
    text = explain(predict(law, 1e9, 1e3), "zipf:2.5", 2, 1e9, 1e6)
    assert "nan" not in text
