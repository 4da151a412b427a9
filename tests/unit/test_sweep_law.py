"""The universal scalability law: found where it holds, refused where it does not."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import nnls

from reports.sweep.scalability import Fit, Law, NoFit, _solve, fit_law

LOADS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def measured(law: Law, loads: tuple[float, ...], repeats: int, noise: float, seed: int) -> Fit | NoFit:
    """A fit to the law with relative noise."""
    rng = np.random.default_rng(seed)
    users = np.repeat(loads, repeats)
    tps = law.at(users) * np.exp(rng.normal(0, noise, len(users)))
    return fit_law(users.tolist(), tps.tolist(), seed)


@given(lam=st.floats(0.1, 1e6), sigma=st.floats(0, 0.9), kappa=st.floats(0, 0.05))
def test_without_noise_the_parameters_come_out(lam: float, sigma: float, kappa: float) -> None:
    law = Law(lam, sigma, kappa)
    fit = fit_law(LOADS, law.at(np.array(LOADS)).tolist(), 1)
    assert isinstance(fit, Fit)
    assert fit.law.lam == pytest.approx(lam, rel=1e-6)
    assert fit.law.sigma == pytest.approx(sigma, abs=1e-6)
    assert fit.law.kappa == pytest.approx(kappa, abs=1e-6)
    assert fit.misfit < 1e-6


@given(tps=st.lists(st.floats(10, 1000), min_size=len(LOADS), max_size=len(LOADS)))
def test_no_non_negative_parameters_are_nearer(tps: list[float]) -> None:
    # A fit is refused where it is poor; its parameters are found before that.
    n, x = np.array(LOADS), np.array(tps)
    lam, sigma, kappa = _solve(n, x[None, :])[0]
    terms = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=1) * (x / n)[:, None]
    best, least = nnls(terms, np.ones_like(n))
    # One user's throughput cannot be without end.
    assume(best[0] > 0)
    ours = terms @ np.array([1, sigma, kappa]) / lam - 1
    assert float(np.sqrt(ours @ ours)) == pytest.approx(least, rel=1e-6, abs=1e-9)


def test_its_peak_is_where_throughput_is_highest() -> None:
    law = Law(100, 0.1, 0.002)
    users = np.linspace(1, 100, 100_000)
    assert law.peak == pytest.approx(float(users[np.argmax(law.at(users))]), abs=0.01)
    assert Law(100, 0.1, 0).peak is None


@pytest.mark.parametrize(
    ("law", "loads", "repeats"),
    [
        (Law(1000, 0.05, 0.0005), LOADS, 1),
        (Law(1000, 0.3, 0.001), (1.0, 4.0, 16.0, 64.0), 2),
    ],
)
def test_intervals_hold_the_truth_as_often_as_they_say(
    law: Law, loads: tuple[float, ...], repeats: int
) -> None:
    truth = (law.lam, law.sigma, law.kappa)
    held = np.zeros(3)
    fits = [measured(law, loads, repeats, 0.04, seed) for seed in range(60)]
    for fit in fits:
        assert isinstance(fit, Fit)
        parameters = (fit.lam, fit.sigma, fit.kappa)
        held += [e.low <= v <= e.high for e, v in zip(parameters, truth, strict=True)]
    # 95 % of 60 are 57; that 50 or fewer hold by luck has a probability of 4 in 10,000.
    assert held.min() >= 51


def test_where_throughput_never_falls_no_peak_is_shown() -> None:
    fits = [measured(Law(1000, 0.05, 0), LOADS, 1, 0.03, seed) for seed in range(30)]
    shown = sum(isinstance(fit, Fit) and fit.peak is not None for fit in fits)
    # Two and a half of a hundred by luck: more than 4 of 30 in 1 of 1,000 such tests.
    assert shown <= 4


def test_a_cliff_is_not_this_law() -> None:
    fit = fit_law(LOADS, [100, 200, 400, 800, 1600, 400, 380], 1)
    assert isinstance(fit, NoFit)
    assert "does not fit" in fit.why


@pytest.mark.parametrize("users", [(1, 2, 4), (1, 1, 1, 8, 8, 8, 32, 32, 32), (1, 2, 4, 8, 16)])
def test_too_few_points_are_said_to_be(users: tuple[int, ...]) -> None:
    fit = fit_law(users, [100.0 * n for n in users], 1)
    assert isinstance(fit, NoFit)
    assert "too few" in fit.why


def test_points_without_throughput_are_left_out() -> None:
    law = Law(100, 0.05, 0.001)
    tps = [*law.at(np.array(LOADS)).tolist(), 0.0]
    fit = fit_law([*LOADS, 128.0], tps, 1)
    assert isinstance(fit, Fit)
    assert fit.law.lam == pytest.approx(100)


def test_the_seed_decides_the_intervals() -> None:
    law = Law(100, 0.05, 0.001)
    one, again = (measured(law, LOADS, 1, 0.05, 7) for _ in range(2))
    assert isinstance(one, Fit)
    assert isinstance(again, Fit)
    assert (one.sigma, one.kappa) == (again.sigma, again.kappa)
    low, high = one.band(np.array(LOADS))
    assert (low < one.law.at(np.array(LOADS))).all()
    assert (one.law.at(np.array(LOADS)) < high).all()
