"""Classes of accounts stand for every account: nothing that the model needs is lost in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.access import parse_access
from loadtest.popularity import popularity_of
from loadtest.prediction import predict
from tests.examples import at_most

SKEWS = st.one_of(
    st.just("uniform"),
    st.floats(0.05, 3).map(lambda theta: f"zipf:{theta}"),
    st.tuples(st.floats(0.05, 0.95), st.floats(0.01, 0.99)).map(lambda s: f"hotspot:{s[0]}/{s[1]}"),
)


@at_most(60)
@given(SKEWS, st.integers(2, 30_000))
def test_classes_keep_what_the_model_needs(skew: str, accounts: int) -> None:
    law = parse_access(skew, accounts)
    classes = popularity_of(law)
    assert classes.members.sum() == accounts
    assert (np.diff(classes.access) <= 1e-15).all(), "the most popular first"
    assert classes.members @ classes.access == pytest.approx(1)
    pairs = classes.pairs()
    assert pairs.sum() == pytest.approx(1)
    assert np.allclose(pairs, pairs.T)
    assert classes.pairs_in().sum() >= accounts * (accounts - 1) / 2
    q = classes.writes()
    assert classes.members @ q == pytest.approx(2)
    assert classes.members @ q**2 == pytest.approx(law.sum_q_squared(), rel=1e-3)
    # The most popular account is alone in its class, or as popular as all in it.
    assert q[0] == pytest.approx(next(iter(law.writes_per_transfer())).max(), rel=1e-4)


@pytest.mark.parametrize("skew", ["uniform", "zipf:0.8", "zipf:1.0", "zipf:1.1", "hotspot:0.9/0.1"])
def test_many_accounts_are_predicted_from_classes(skew: str) -> None:
    """Just above the limit the sums come from classes; just below, from every account."""
    below, above = (predict(parse_access(skew, n), 1e4, 0.02) for n in (1_000_000, 1_000_001))
    assert above.sum_q_squared == pytest.approx(below.sum_q_squared, rel=1e-3)
    assert above.evenly == pytest.approx(below.evenly, rel=1e-3)
    assert above.poisson == pytest.approx(below.poisson, rel=1e-3)


def test_a_hundred_million_accounts_are_as_few_classes() -> None:
    classes = popularity_of(parse_access("zipf:0.8", 100_000_000))
    assert len(classes.members) < 200
    assert classes.members.sum() == 100_000_000
