"""Figures with the digits that their samples carry."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reports import certainty, style
from reports.figures import Figures
from reports.model import build_model
from reports.percentiles import describe, standard_error
from reports.tables import answer_table
from tests.run_folders import FakeRun, write_fake_run

GAP = style.THIN


@given(value=st.floats(1e-3, 1e7), error=st.floats(1e-6, 1e7))
@example(value=29.2, error=1.4)
@example(value=99.96, error=0.2)
@example(value=140.0, error=60.0)
def test_no_digit_stands_that_the_error_leaves_no_meaning(value: float, error: float) -> None:
    text = style.number(value, error)
    shown = float(text.replace(",", ""))
    place = 10.0 ** math.floor(math.log10(error))
    if place > 10.0 ** math.floor(math.log10(value)):
        place = 10.0 ** math.floor(math.log10(value))
    finest = 10.0 ** min(0, math.floor(math.log10(value)) - 2)
    assert abs(shown - value) <= 0.5001 * max(place, finest), "rounded, and not farther than the error"
    decimals = len(text.partition(".")[2])
    if place > finest:
        assert decimals == max(0, -round(math.log10(place)))
        assert shown / place == pytest.approx(round(shown / place), abs=1e-6)
    else:
        assert text == style.number(value)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (29.2, 1.4, "29"), (6.194, 0.013, "6.19"), (1234.0, 300.0, "1,200"), (0.54, 0.2, "0.5"),
        (5.0, 9.0, "5"), (9.96, 0.2, "10.0"), (17.0, 0.0, "17.0"), (17.0, None, "17.0"),
    ],
)  # fmt: skip
def test_rounding_by_example(value: float, error: float | None, text: str) -> None:
    assert style.number(value, error) == text


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_the_standard_error_is_how_far_chance_moves_a_percentile(quantile: float) -> None:
    """Over 400 samples of 2,000 latencies, the spread of their percentile is known to 4 %."""
    random = np.random.default_rng(7)
    samples = np.sort(random.lognormal(math.log(6e6), 0.5, (400, 2000)).astype(np.int64), axis=1)
    found = np.quantile(samples, quantile, axis=1)
    said = np.mean([standard_error(sample, quantile) for sample in samples])
    assert said == pytest.approx(float(np.std(found)), rel=0.15)


def test_errors_are_known_where_percentiles_are() -> None:
    found = describe(np.arange(1, 1001) * 1_000_000)
    assert set(found.errors) == {"p50", "p90", "p95", "p99"}
    assert found.errors["p50"] == pytest.approx(math.sqrt(1000) / 2, rel=0.02)
    assert describe(np.array([5], np.int64)).errors == {}


@pytest.mark.parametrize(
    ("hits", "of", "text"),
    [
        (3, 81, "4"),
        (1650, 42_144, "3.92"),
        (0, 50, "0"),
        (5, 100, "5"),
        (50, 100, "50"),
        (0, 0, "too few"),
    ],
)
def test_a_share_has_as_many_digits_as_it_was_counted_to(hits: int, of: int, text: str) -> None:
    assert certainty.counted_share(hits, of).removesuffix(f"{GAP}%") == text


def test_few_conflicts_are_said_with_their_interval(tmp_path_factory: pytest.TempPathFactory) -> None:
    def conflict_cell(conflict: float) -> tuple[str, Figures]:
        fake = FakeRun(keys=("int",), tps=300.0, duration_s=12.0, warmup_s=0.0, conflict=conflict)
        model = build_model(write_fake_run(tmp_path_factory.mktemp("run"), fake))
        return dict(answer_table(model).rows)["Conflict rate"][0].note, model.overall

    note, figures = conflict_cell(0.005)
    assert 0 < figures.conflicts < 100
    low, high = figures.conflict_rate_interval or (0.0, 0.0)
    assert note == style.between(low, high)
    assert low < (figures.conflict_rate or 0.0) < high
    note, figures = conflict_cell(0.1)
    assert figures.conflicts >= 100
    assert not note
