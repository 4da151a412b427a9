"""`occbench predict`, as it is typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest.cli.application import app
from loadtest.prediction.simulation import SimulateConfig, simulate
from loadtest.workload.retry import POLICIES
from tests import in_process
from tests.commands import one_line


def told(tmp_path: Path, *words: object) -> list[dict[str, Any]]:
    done = in_process.occbench("predict", *words, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    forecasts = json.loads(done.stdout)["forecasts"]
    assert isinstance(forecasts, list)
    return forecasts


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated run of both key types."""
    out = tmp_path_factory.mktemp("runs")
    config = SimulateConfig.read(
        keys="int,uuid", accounts=1_000, users=32, statement_ms=1, commit_ms=12, warmup=1,
        duration=20, out=out,
    )  # fmt: skip
    return simulate(config)


def test_the_published_run_in_words(tmp_path: Path) -> None:
    done = in_process.occbench(
        "predict", "--accounts", 1000, "--rate", 909, "--latency-ms", 20.12, cwd=tmp_path
    )
    assert done.returncode == 0
    assert not done.stderr
    assert "7.06 %" in done.stdout
    assert "7.05 %" in done.stdout
    assert "909 commits a second" in done.stdout
    for policy in POLICIES:
        assert f"\n{policy} " in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 200
    table = done.stdout[done.stdout.index("retry policy") : done.stdout.index("\n- ")]
    assert max(map(len, table.splitlines())) <= 80, "fits a terminal"
    assert "…" not in table


def test_the_same_as_json(tmp_path: Path) -> None:
    (found,) = told(
        tmp_path, "--accounts", 1000, "--rate", 909, "--latency-ms", 20.12,
        "--retry", "none,immediate", "--max-attempts", 4,
    )  # fmt: skip
    assert found["formula"]["poisson"] == pytest.approx(0.0705, abs=1e-4)
    assert list(found["policies"]) == ["none", "immediate"]
    none = found["policies"]["none"]
    assert none["conflict_rate"]["best"] == pytest.approx(0.0656, rel=0.1)
    assert none["conflict_rate"]["low"] < 0.0656 < none["conflict_rate"]["high"]
    assert none["goodput_tps"]["best"] == pytest.approx(909 * (1 - none["conflict_rate"]["best"]))
    assert found["workload"]["max_attempts"] == 4
    assert found["key_type"] is None


def test_from_a_run_with_its_settings_and_with_others(run_folder: Path, tmp_path: Path) -> None:
    own = told(tmp_path, "--from", run_folder)
    assert [found["key_type"] for found in own] == ["int", "uuid"]
    first = own[0]
    rate = first["policies"]["full-jitter"]["conflict_rate"]
    assert rate["low"] < first["measured"]["conflict_rate"]["best"] < rate["high"]
    assert first["workload"]["users"] == 32
    (more,) = told(tmp_path, "--from", run_folder, "--users", 128, "--keys", "int")
    assert more["policies"]["full-jitter"]["conflict_rate"]["low"] > rate["high"]
    (far,) = told(
        tmp_path, "--from", run_folder, "--keys", "int", "--commit-delay-ms", "0,40",
        "--retry", "full-jitter",
    )  # fmt: skip
    near, distant = far["policies"]["full-jitter"]["regions"]
    assert distant["conflict_rate"]["best"] > near["conflict_rate"]["best"]
    ways = [region["window_high_s"] for region in far["workload"]["regions"]]
    assert ways[1] - ways[0] == pytest.approx(0.04)
    done = in_process.occbench("predict", "--from", run_folder, "--users", 64, cwd=tmp_path)
    assert "int keys: measured" in done.stdout
    assert "full-jitter *" in done.stdout
    assert "64 users" in done.stdout


def test_an_account_that_is_wanted_too_often(tmp_path: Path) -> None:
    done = in_process.occbench(
        "predict", "--accounts", 10, "--rate", 1000, "--latency-ms", 50, "--max-attempts", 0,
        "--retry", "none,immediate", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0
    assert "No steady state with immediate" in done.stdout
    (found,) = told(
        tmp_path, "--accounts", 10, "--rate", 1000, "--latency-ms", 50, "--max-attempts", 0,
        "--retry", "none,immediate",
    )  # fmt: skip
    assert found["policies"]["none"]["conflict_rate"]["best"] > 0.5
    unsteady = found["policies"]["immediate"]
    assert unsteady["settled"] is False
    assert unsteady["conflict_rate"] is unsteady["added_p99_ms"] is None
    assert unsteady["regions"] == []
    done = in_process.occbench(
        "predict", "--accounts", 1000, "--rate", 5000, "--users", 10, "--latency-ms", 20,
        "--retry", "none", cwd=tmp_path,
    )  # fmt: skip
    assert "10 users cannot keep 5,000" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate", 1, "--latency-ms", 1], "--accounts is needed"),
        (["--accounts", 9, "--rate", 1], "--latency-ms is needed"),
        (["--accounts", 9, "--latency-ms", 1], "--rate or --users"),
        (["--accounts", 1, "--rate", 1, "--latency-ms", 1], "--accounts"),
        (["--accounts", 9, "--rate", 1, "--latency-ms", 1, "--skew", "x"], "--skew"),
        (["--accounts", 9, "--rate", 1, "--latency-ms", 1, "--retry", "x"], "--retry"),
        (["--accounts", 9, "--rate", 1, "--latency-ms", 5, "--attempt-ms", 4], "--attempt-ms"),
        (["--accounts", 9, "--rate", 1, "--latency-ms", 5, "--keys", "int"], "--keys"),
        (["--accounts", 9, "--users", 1, "--latency-ms", 5, "--arrivals", "even"], "--arrivals"),
        (["--accounts", 9, "--rate", 1, "--latency-ms", 5, "--commit-delay-ms", "a"], "--commit"),
        (["--accounts", 9, "--users", 64, "--latency-ms", 0], "time above 0"),
        (["--accounts", 9, "--rate", 1, "--latency-ms", 5, "--spread", 1.1], "--spread"),
        (["--from", "nowhere"], "nowhere is not a folder"),
        (["--from", "nowhere", "--latency-ms", 5], "cannot go with --from"),
    ],
    ids=str,
)
def test_wrong_questions_are_refused_in_one_line(
    words: list[object], said: str, tmp_path: Path
) -> None:
    assert said in one_line(in_process.occbench("predict", *words, cwd=tmp_path), 2)


def test_delays_that_do_not_fit_the_regions(tmp_path: Path) -> None:
    config = SimulateConfig.read(
        keys="int", accounts=1_000, users=8, regions="a,b,c", round_trips="a/b=5,a/c=5,b/c=5",
        warmup=1, duration=3, out=tmp_path,
    )  # fmt: skip
    folder = simulate(config)
    done = in_process.occbench("predict", "--from", folder, "--commit-delay-ms", "1,2", cwd=tmp_path)
    assert "2 values for 3 Regions" in one_line(done, 2)


@pytest.mark.parametrize("columns", ["40", "80"])
def test_no_figure_is_cut_in_a_narrow_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    words = ["predict", "--accounts", "10000000", "--users", "100000", "--latency-ms", "2000"]
    shown = CliRunner().invoke(app, [*words, "--commit-delay-ms", "12,35", "--spread", "0.9"])
    assert shown.exit_code == 0
    assert "…" not in shown.output
    assert "decorrelated-jitter" in shown.output
