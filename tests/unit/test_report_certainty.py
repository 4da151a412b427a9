"""Figures with the digits that their samples carry."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reports.analysis.figures import Figures
from reports.analysis.percentiles import describe, standard_error
from reports.documents.run.tables import answer_table
from reports.statistics import certainty
from reports.statistics.certainty import RoundedText, one_rounding
from reports.statistics.model import build_model
from reports.statistics.prediction.band import side_of_band
from reports.text import rounding
from reports.text.rounding import milliseconds, percent
from reports.verdicts.rules import verdicts
from tests.run_folders import FakeRun, write_fake_run

GAP = rounding.THIN


@given(value=st.floats(1e-3, 1e7), error=st.floats(1e-6, 1e7))
@example(value=29.2, error=1.4)
@example(value=99.96, error=0.2)
@example(value=140.0, error=60.0)
def test_no_digit_stands_that_the_error_leaves_no_meaning(value: float, error: float) -> None:
    text = rounding.number(value, error)
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
        assert text == rounding.number(value)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (29.2, 1.4, "29"), (6.194, 0.013, "6.19"), (1234.0, 300.0, "1,200"), (0.54, 0.2, "0.5"),
        (5.0, 9.0, "5"), (9.96, 0.2, "10.0"), (17.0, 0.0, "17.0"), (17.0, None, "17.0"),
    ],
)  # fmt: skip
def test_rounding_by_example(value: float, error: float | None, text: str) -> None:
    assert rounding.number(value, error) == text


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
    assert note == rounding.between(low, high)
    assert low < (figures.conflict_rate or 0.0) < high
    note, figures = conflict_cell(0.1)
    assert figures.conflicts >= 100
    assert not note


@pytest.mark.parametrize(
    ("share", "error", "text"),
    [
        (0.0999, None, "10"), (0.00996, None, "1.0"), (0.061, None, "6.1"), (0.31, None, "31"),
        (0.061, 0.028, "6"), (0.061, 0.001, "6.1"), (0.0035, 0.0011, "0.4"), (0.31, 0.12, "30"),
        (0.995, None, "99"), (1.234, None, "123"), (0.0, 0.1, "0"),
    ],
)  # fmt: skip
def test_effects_by_example(share: float, error: float | None, text: str) -> None:
    said = rounding.about(share, error).removesuffix(f"{GAP}%")
    assert said == text or (share == 0.995 and said == "100")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9997, "1 s"), (0.9994, "999 ms"), (0.0123, "12.3 ms"), (1.0, "1 s"), (0.0, "0 s"),
        (3_600_000.0, "1,000 h"),
    ],
)  # fmt: skip
def test_lengths_of_time_by_example(value: float, text: str) -> None:
    assert rounding.seconds(value).replace(GAP, " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(999.4, "999 ms"), (999.7, "1.00 s"), (9047.0, "9.05 s"), (10_000.0, "10.0 s"), (29.2, "29.2 ms")],
)
def test_latencies_by_example(value: float, text: str) -> None:
    assert rounding.milliseconds(value).replace(GAP, " ") == text


def test_one_page_has_one_way_to_print_a_rate(tmp_path: Path) -> None:
    """The verdict, the table and the reading have the same digits, and the same place in the band."""
    model = build_model(write_fake_run(tmp_path, FakeRun(keys=("int",), tps=100.0, duration_s=9.0)))
    figures = model.key_types["int"]
    rate = certainty.conflict_rate(figures)
    assert rate != rounding.percent(figures.conflict_rate), "the case has digits to lose"
    (band,) = [v for v in verdicts(model) if v.about == "prediction, int"]
    assert band.text.startswith(f"int: {rate} of attempts conflicted")
    assert dict(answer_table(model).rows)["Conflict rate"][0].text == rate


@pytest.mark.parametrize(
    ("rate", "place"),
    [
        (0.005, "below"),
        (0.0093, "edge"),
        (0.01, "inside"),
        (0.02, "inside"),
        (0.0215, "edge"),
        (0.03, "above"),
    ],
)
def test_where_a_rate_lies(tmp_path: Path, rate: float, place: str) -> None:
    known = build_model(
        write_fake_run(tmp_path, FakeRun(keys=("int",), tps=50.0, duration_s=4.0))
    ).overall
    figures = replace(
        known, attempts=1_000_000, conflict_rate=rate, predicted_low=0.01, predicted_high=0.02
    )
    assert side_of_band(figures) == place
    assert side_of_band(replace(figures, predicted_low=None)) is None


def test_figures_in_a_row_have_one_rounding() -> None:
    def ms(value: float | None, error: float | None = None) -> RoundedText:
        return RoundedText(milliseconds, value, error)

    assert one_rounding([ms(60.6, 0.9), ms(59.2, 1.2)]) == [
        "61\N{NO-BREAK SPACE}ms",
        "59\N{NO-BREAK SPACE}ms",
    ]
    # Said by itself each has the digits that it carries.
    assert [ms(60.6, 0.9), ms(59.2, 1.2)] == ["60.6\N{NO-BREAK SPACE}ms", "59\N{NO-BREAK SPACE}ms"]
    # Rounded once, from the value: 24.52 is 25, and 24.5 would be 24.
    assert one_rounding([ms(24.52, 0.5), ms(26.2, 1.5)])[0] == "25\N{NO-BREAK SPACE}ms"
    # Of another size, another kind, or absent: as they were.
    for others in (
        [ms(5.25, 0.01), ms(120.0, 20.0)],
        [ms(None), "—"],
        [ms(5.25), RoundedText(percent, 0.04, 0.02)],
    ):
        assert one_rounding(others) == list(others)
    # Two digits are left.
    assert one_rounding([ms(9.84, 0.01), ms(20.0, 9.0)])[0] == "9.8\N{NO-BREAK SPACE}ms"
