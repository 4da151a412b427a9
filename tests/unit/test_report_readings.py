"""What charts say of themselves and hand out: readings, and their figures as CSV."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from reports import write_report
from reports.charts.marks import WARMUP
from reports.charts.run import draw_all, draw_ratios
from reports.documents.run.document import run_document
from reports.documents.run.facts import course
from reports.render.html import to_html
from reports.statistics.model import Model, build_model
from reports.statistics.paired.blocks import METRICS, Comparison, Ratio
from reports.statistics.paired.sentences import meaning
from tests.run_folders import FakeRun, write_fake_run

SMALL: dict[str, Any] = {"tps": 300.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 1.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    fake = FakeRun(**SMALL, skew="zipf:0.9", slower={"uuid": 2.0})
    return build_model(write_fake_run(tmp_path_factory.mktemp("run"), fake))


@pytest.fixture(scope="module")
def page(model: Model) -> str:
    return to_html(run_document(model))


def tables(page: str) -> dict[str, list[dict[str, str]]]:
    """What the page's links hand out, by the name of the file."""
    links = re.findall(r'download="([^"]+)" href="data:text/csv;charset=utf-8,([^"]*)"', page)
    assert len(links) == len({name for name, _ in links})
    return {
        name: list(
            csv.DictReader(io.StringIO(unquote(address.replace("&#39;", "'").replace("&amp;", "&"))))
        )
        for name, address in links
    }


def test_every_chart_hands_out_its_figures(page: str) -> None:
    found = tables(page)
    figures = re.findall(r'<figure id="([^"]+)"', page)
    assert sorted(found) == sorted(f"{name}.csv" for name in figures)
    assert len(figures) == 10
    for name, rows in found.items():
        assert rows, name
        assert None not in rows[0], "no row is longer than its head"


def test_the_figures_are_those_that_are_drawn(page: str, model: Model) -> None:
    found = tables(page)
    for key, series in model.series.items():
        rows = [row for row in found["throughput.csv"] if row["key_type"] == key]
        shown = [float(row["throughput_tps"]) if row["throughput_tps"] else np.nan for row in rows]
        np.testing.assert_allclose(shown, series.throughput_tps, rtol=1e-5)
        assert [float(row["time_s"]) for row in rows] == pytest.approx(list(series.middle_s), rel=1e-5)
    assert [row for row in found["throughput.csv"] if row["key_type"] == WARMUP]
    for row in found["retries.csv"]:
        f = model.key_types[row["key_type"]]
        assert int(row["transactions"]) == f.retries_histogram[int(row["retries"])]
    outcomes = [int(row["attempts"]) for row in found["outcomes.csv"]]
    assert sum(outcomes) == model.overall.attempts
    conflict = next(row for row in found["ratios.csv"] if row["metric"] == "conflict_rate")
    ratio = model.comparisons[0].of("conflict_rate")
    assert float(conflict["ratio"]) == pytest.approx(ratio.ratio, rel=1e-5)
    assert conflict["verdict"] == ratio.verdict
    for row in found["conflicts.csv"]:
        if row["key_type"] != WARMUP:
            predicted = model.key_types[row["key_type"]].predicted_high
            assert float(row["predicted_high"]) == pytest.approx(predicted, rel=1e-5)


def test_a_name_from_outside_cannot_leave_its_link(tmp_path: Path) -> None:
    evil = "e\"'&<>,\n%22 onclick=x # $x$ $\\frac{$"
    fake = FakeRun(**{**SMALL, "duration_s": 4.0}, targets=(evil, "west"))
    text = write_report(write_fake_run(tmp_path, fake)).read_text(encoding="utf-8")
    for link in re.findall(r"<a [^>]*>", text):
        assert re.fullmatch(
            r'<a class="take" download="[\w-]+\.csv" href="[^"\s]*" aria-label="[^"]*">', link
        )
    assert evil in {row["target"] for row in tables(text)["target-throughput.csv"]}


@pytest.mark.usefixtures("undrawn")
def test_a_simulation_says_so_wherever_it_is_shown(tmp_path: Path) -> None:
    fake = FakeRun(**{**SMALL, "duration_s": 4.0}, keys=("int",), run={"simulated": True})
    found = run_document(build_model(write_fake_run(tmp_path, fake)))
    assert found.kicker == ("occbench", "transfer, simulated", "made up")
    assert "transfer, simulated" in to_html(found)


def test_every_chart_says_what_it_shows(model: Model) -> None:
    for chart in draw_all(model):
        assert 20 < len(chart.reading) < 420, chart.name
        assert chart.reading.endswith(".")
        assert not re.search(r"\b(nan|inf|None)\b", chart.reading)


def ratio(metric: str, low: float | None, high: float | None, base: float = 0.04) -> Ratio:
    if low is None or high is None:
        return Ratio(metric, 1.0, 1.0, None, None, None, "not comparable")
    return Ratio(metric, base, base, (low * high) ** 0.5, low, high, "")


def comparison(**ends: tuple[float | None, float | None]) -> Comparison:
    known = dict.fromkeys(METRICS, (0.98, 1.03))
    ratios = tuple(ratio(name, *both) for name, both in {**known, **ends}.items())
    return Comparison("int", "uuid", 10, ratios, 4.0, True)


def reading_of(model: Model, found: Comparison) -> str:
    chart = draw_ratios(replace(model, comparisons=[found]))
    assert chart is not None
    return chart.reading


def test_the_reading_of_a_comparison_says_what_differs(model: Model) -> None:
    rule = "An interval that includes 1 shows no difference."
    assert reading_of(model, comparison()) == (
        f"uuid as a multiple of int: no difference shown. {rule}"
    )
    text = reading_of(model, comparison(throughput_tps=(0.9, 0.95), latency_p99_ms=(None, None)))
    assert text == (
        f"uuid as a multiple of int: throughput differs. Latency p99: not comparable. {rule}"
    )


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ({}, "a difference larger than 3.0 % in throughput, 3.0 % in conflict rate, 3.0 % in median"),
        ({"latency_p99_ms": (0.7, 1.4)}, " and 40 % in p99 latency."),
        ({"conflict_rate": (None, None)}, "larger than 3.0 % in throughput, 3.0 % in median latency"),
        # What else differs may be the cost of conflicts, or not; nothing is said of it.
        ({"throughput_tps": (0.9, 0.95)}, ""),
        ({"latency_p99_ms": (1.1, 1.2)}, ""),
        ({"throughput_tps": (0.9, 0.95), "conflict_rate": (0.1, 3.0)}, ""),
        # More conflicts alone have no cause that the figures show; nor have those of less time.
        ({"conflict_rate": (1.1, 1.2)}, ""),
        ({"conflict_rate": (1.1, 1.2), "latency_p50_ms": (0.8, 0.9)}, ""),
        ({"conflict_rate": (1.1, 1.2), "latency_p50_ms": (1.1, 1.2)},
         "uuid keys conflicted more because they took longer."),
        ({"conflict_rate": (0.8, 0.9), "throughput_tps": (0.8, 0.9)},
         "int keys conflicted more because more of them ran."),
        ({"throughput_tps": (0.9, 0.95), "conflict_rate": (None, None)}, ""),
        ({"throughput_tps": (None, None)}, ""),
    ],
)  # fmt: skip
def test_what_a_comparison_means(
    ends: dict[str, tuple[float | None, float | None]], words: str
) -> None:
    text = meaning(comparison(**ends)).replace("\N{NO-BREAK SPACE}", " ")
    assert (words in text) if words else not text


def test_a_simulation_has_no_cause_of_chance() -> None:
    found = comparison(conflict_rate=(1.1, 1.2), latency_p50_ms=(1.1, 1.2))
    assert meaning(found)
    assert not meaning(found, simulated=True)


def test_where_nothing_conflicts_the_axis_is_not_up_to_all(tmp_path: Path) -> None:
    """A band of a hundredth of a percent is drawn over the height of the plot, or nothing is."""
    fake = FakeRun(**{**SMALL, "duration_s": 6.0}, keys=("int",), users=1, conflict=0.0)
    model = build_model(write_fake_run(tmp_path, fake))
    assert model.overall.conflicts == 0
    (chart,) = [one for one in draw_all(model) if one.name == "conflicts"]
    assert chart.figure.axes[0].get_ylim()[1] <= max(0.02, 2 * (model.overall.predicted_high or 0))


def test_a_simulation_has_no_date(tmp_path: Path) -> None:
    fake = FakeRun(**{**SMALL, "duration_s": 4.0}, keys=("int",))
    model = build_model(write_fake_run(tmp_path, fake))
    assert "started" in dict(course(model))
    simulated = replace(model, run=model.run.model_copy(update={"simulated": True}))
    assert "started" not in dict(course(simulated))
