"""What the report says beside the figures: notes on what they are worth, and settings."""

import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.record.service import ServiceFile, write_service
from reports import summarise, write_report
from reports.documents.run.facts import environment, settings, target_facts
from reports.statistics.model import build_model
from reports.text.rounding import seconds
from reports.verdicts.figures import WIDEST_BAND
from tests.run_folders import (
    FakeRun,
    hand_made,
    run_json,
    table_of,
    write_attempts,
    write_fake_run,
    write_run_json,
)

MS = 1_000_000
SMALL: dict[str, Any] = {"keys": ("int",), "tps": 300.0, "duration_s": 6.0, "block_s": 1.0}
LOCAL = {"family": "dynamodb", "version": "DynamoDB Local", "durable": False, "regime": "optimistic"}
REAL = {**LOCAL, "version": "DynamoDB", "durable": True}
HOST = f"{'c' * 26}.dsql.us-east-1.on.aws"
NO_COMMIT: dict[str, Any] = {"commit_ns": 0, "window_low_ns": 0, "window_high_ns": 0}


def verdicts_of(folder: Path) -> list[dict[str, str]]:
    return list(summarise(folder)["verdicts"])


def about(folder: Path, name: str) -> list[dict[str, str]]:
    return [v for v in verdicts_of(folder) if v["about"].startswith(name)]


def items(folder: Path, rows: list[dict[str, Any]], **targets: dict[str, Any]) -> Path:
    """A second on these targets, which are DynamoDB of one kind or the other."""
    named = [{"name": name, **facts} for name, facts in targets.items()]
    return hand_made(folder, rows, targets=named)


# DynamoDB Local


def test_a_stand_in_is_named(tmp_path: Path) -> None:
    rows = [{"target": "here", "write_units": 4.0, **NO_COMMIT}]
    (line,) = about(items(tmp_path / "local", rows, here=LOCAL), "stand-in")
    assert line["state"] == "note"
    assert line["text"].startswith("here: DynamoDB Local runs transactions one after another")
    assert "TransactionConflict" in line["text"]
    assert not about(items(tmp_path / "real", rows, here=REAL), "stand-in")


@pytest.mark.usefixtures("undrawn")
def test_nobody_pays_for_a_stand_in(tmp_path: Path) -> None:
    rows = [{"target": "here", "write_units": 4.0, "read_units": 1.0, **NO_COMMIT}]
    rows += [{"target": "here", "outcome": "conflict_data", "sqlstate": "40001", **NO_COMMIT}]
    folder = items(tmp_path, rows, here=LOCAL)
    capacity = summarise(folder)["overall"]["capacity"]
    assert capacity["write_units"] == 4.0
    assert not {"cost_usd", "cost_usd_per_million"} & set(capacity)
    assert not about(folder, "capacity"), "there is no real cost to be higher"
    assert "Cost of a million committed" not in write_report(folder).read_text()


def test_the_cost_of_a_slice_is_that_of_the_targets_that_are_paid_for(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"target": "here", "write_units": 4.0, **NO_COMMIT}] * 3
    rows += [{"target": "there", "write_units": 8.0, **NO_COMMIT}]
    found = summarise(items(tmp_path, rows, here=LOCAL, there=REAL))
    whole, there = found["overall"]["capacity"], found["targets"]["there"]["capacity"]
    assert "cost_usd" not in found["targets"]["here"]["capacity"]
    assert whole["write_units"] == 20.0
    assert whole["cost_usd"] == there["cost_usd"] == pytest.approx(8 * 0.625 / 1e6)
    assert whole["cost_usd_per_million"] == there["cost_usd_per_million"] == pytest.approx(5.0)


@pytest.mark.parametrize(("unsaid", "words"), [(0, ">$2.50"), (1, ">at least $2.50")])
@pytest.mark.usefixtures("undrawn")
def test_a_cost_of_which_a_part_is_not_known(tmp_path: Path, unsaid: int, words: str) -> None:
    rows = [{"target": "there", "write_units": 4.0, **NO_COMMIT}]
    failed = {"outcome": "conflict_data", "sqlstate": "40001"}
    rows += [{"target": "there", **failed, **NO_COMMIT} for _ in range(unsaid)]
    assert words in write_report(items(tmp_path, rows, there=REAL)).read_text()


# The band


def with_window(folder: Path, low_ms: float, conflicts: int, **target: Any) -> Path:
    """100 attempts in a second on 100 accounts, with a window between `low_ms` and 10 ms."""
    window = {
        "statements_ns": 9 * MS, "commit_ns": MS, "window_low_ns": round(low_ms * MS),
        "window_high_ns": 10 * MS,
    }  # fmt: skip
    rows: list[dict[str, Any]] = [dict(window) for _ in range(100)]
    for row in rows[:conflicts]:
        row |= {"outcome": "conflict_data", "sqlstate": "40001"}
    fake = FakeRun(keys=("int",), duration_s=1.0, warmup_s=0.0, block_s=1.0, accounts=100)
    plain = {"name": "embedded", "family": "embedded", "regime": "optimistic"}
    write_run_json(folder, run_json(fake, targets=[plain | target]))
    write_attempts(folder, table_of(rows))
    return folder


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (
            {"family": "simulated", "commit_delay_ms": 12.0},
            "when within the commit delay an attempt is decided",
        ),
        ({"family": "dynamodb"}, "when within its two requests an attempt is served"),
        ({}, "when within its first statement an attempt begins, and within COMMIT is decided"),
    ],
)
def test_a_band_that_holds_everything_tests_nothing(
    tmp_path: Path, target: dict[str, Any], why: str
) -> None:
    (line,) = about(with_window(tmp_path, 0.2, 2, **target), "prediction")
    assert line["state"] == "note"
    assert "too wide to test anything" in line["text"]
    assert why in line["text"]
    assert "inside the band" not in line["text"]


def test_a_band_from_zero_tests_nothing(tmp_path: Path) -> None:
    (line,) = about(with_window(tmp_path, 0.0, 0), "prediction")
    assert line["state"] == "note"


def test_a_band_that_is_narrow_enough_does(tmp_path: Path) -> None:
    folder = with_window(tmp_path, 2.0, 2)
    band = summarise(folder)["overall"]["predicted_conflict_rate"]
    assert band["high"] < WIDEST_BAND * band["low"]
    (line,) = about(folder, "prediction")
    assert (line["state"], line["text"].endswith("inside the band.")) == ("good", True)


def test_a_delay_that_passes_before_the_decision_is_in_the_shorter_window(tmp_path: Path) -> None:
    """Of the embedded database that is known."""
    slept = with_window(tmp_path / "slept", 0.2, 0, commit_delay_ms=8.0)
    as_long = with_window(tmp_path / "as-long", 8.2, 0)
    elsewhere = with_window(tmp_path / "elsewhere", 0.2, 0, commit_delay_ms=8.0, family="simulated")
    bands = [
        summarise(folder)["overall"]["predicted_conflict_rate"]
        for folder in (slept, as_long, elsewhere)
    ]
    assert bands[0] == pytest.approx(bands[1])
    assert bands[0]["low"] > 10 * bands[2]["low"]
    # The shortest window is never longer than the longest.
    longer = with_window(tmp_path / "longer", 0.2, 0, commit_delay_ms=80.0)
    longest = with_window(tmp_path / "longest", 9.0, 0, commit_delay_ms=1.0)
    low, same = (
        summarise(folder)["overall"]["predicted_conflict_rate"]["low"] for folder in (longer, longest)
    )
    assert low == pytest.approx(same)


def test_above_a_wide_band_is_still_above_it(tmp_path: Path) -> None:
    (line,) = about(with_window(tmp_path, 0.2, 90), "prediction")
    assert (line["state"], "Above the band" in line["text"]) == ("bad", True)


# Order


@pytest.mark.usefixtures("undrawn")
def test_what_is_bad_comes_first(tmp_path: Path) -> None:
    fake = FakeRun(**SMALL, systems={"embedded": {"durable": False}})
    folder = write_fake_run(tmp_path, fake)
    found = verdicts_of(folder)
    bad = [v["about"] for v in found if v["state"] == "bad"]
    assert "durability" in bad
    assert [v["about"] for v in found[: len(bad)]] == bad
    assert "bad" not in {v["state"] for v in found[len(bad) :]}
    page = write_report(folder).read_text()
    assert page.index("Durability was off") < page.index("Money conserved: checked")


# What the service counted


def service_json(folder: Path, *, complete: bool, arrived: bool = True) -> None:
    metric = {"statistic": "Sum", "unit": "Count", "points": [["2026-01-01T00:00Z", 10.0]]}
    content = {
        "format": 2, "source": "made up", "period_s": 60, "from": "2026-01-01T00:00Z",
        "until": "2026-01-01T00:01Z", "fetched": "2026-01-01T01:00:00Z",
        "clusters": [
            {
                "cluster": "c" * 26, "region": "us-east-1", "targets": ["east"], "complete": complete,
                "metrics": {"TotalTransactions": metric, "TotalDPU": metric} if arrived else {},
            }
        ],
    }  # fmt: skip
    write_service(folder, ServiceFile.model_validate(content))


@pytest.mark.parametrize("arrived", ["whole", "part", "nothing", "never asked"])
@pytest.mark.usefixtures("undrawn")
def test_figures_that_are_still_to_come_are_said_to_be(tmp_path: Path, arrived: str) -> None:
    facts = {"url": f"dsql://{HOST}", "family": "dsql", "endpoint": HOST, "region": "us-east-1"}
    folder = write_fake_run(tmp_path, FakeRun(**SMALL, targets=("east",), systems={"east": facts}))
    if arrived != "never asked":
        service_json(folder, complete=arrived == "whole", arrived=arrived != "nothing")
    lines = about(folder, "service")
    page = write_report(folder).read_text()
    assert [v["state"] for v in lines] == ([] if arrived == "whole" else ["note"])
    assert ("had not all arrived" in page) == (arrived != "whole")
    assert all("`occbench report --refresh RUN`" in v["text"] for v in lines)
    assert ("<code>occbench report --refresh RUN</code>" in page) == (arrived != "whole")


@pytest.mark.parametrize(
    "facts",
    [
        {"url": "embedded", "family": "embedded"},
        # By another name CloudWatch cannot be asked.
        {"url": "dsql://localhost:5432", "family": "dsql", "endpoint": "localhost"},
        {"url": "dsql://[::1/x", "family": "dsql"},
    ],
)
def test_who_counts_nothing_owes_nothing(tmp_path: Path, facts: dict[str, str]) -> None:
    folder = write_fake_run(tmp_path, FakeRun(**SMALL, systems={"embedded": facts}))
    assert not about(folder, "service")


# Settings and facts


def test_settings_have_their_units(tmp_path: Path) -> None:
    fake = FakeRun(**SMALL)
    config = run_json(fake)["config"] | {
        "duration": 90.0, "warmup": 8.0, "block": 0.25, "consistency": 0.1, "think_time": 0,
        "retry_base_ms": 5.0, "retry_cap_ms": 1000.0, "rate": 1500.0, "spawn_rate": 50.0,
        "accounts": 1000, "dpu_price": 8.0, "label": "",
        "out": "/home/somebody/results", "sslrootcert": "/home/somebody/root.crt",
        "keys_from": "/home/somebody/keys.txt",
    }  # fmt: skip
    write_fake_run(tmp_path, fake)
    write_run_json(tmp_path, run_json(fake, config=config))
    found = {name: text.replace("\xa0", " ") for name, text in settings(build_model(tmp_path))}
    assert found["duration"] == "90 s"
    assert found["warmup"] == "8 s"
    assert found["block"] == "250 ms"
    assert found["consistency"] == "100 ms"
    assert found["think time"] == "none"
    assert found["retry base"] == "5 ms"
    assert found["retry cap"] == "1 s"
    assert found["rate"] == "1,500 transactions/s"
    assert found["spawn rate"] == "50 users/s"
    assert found["accounts"] == "1000"
    assert "label" not in found, "what has no value has no row"
    assert (found["keys from"], found["sslrootcert"]) == ("keys.txt", "root.crt")
    assert "somebody" not in "".join(found.values()), "a page tells nobody where files lie"
    assert "dpu price" not in found, "nothing here is paid for in DPU"
    assert dict(environment(build_model(tmp_path)))["memory"] == "8 GB"


def test_the_price_of_a_dpu_is_a_setting_where_there_are_dpu(tmp_path: Path) -> None:
    fake = FakeRun(**SMALL, systems={"embedded": {"family": "dsql", "url": f"dsql://{HOST}"}})
    config = run_json(fake)["config"] | {"dpu_price": 8.0}
    write_fake_run(tmp_path, fake)
    write_run_json(tmp_path, run_json(fake, config=config))
    assert dict(settings(build_model(tmp_path)))["dpu price"] == "8 USD a million DPU"


@pytest.mark.usefixtures("undrawn")
def test_targets_stand_one_a_line_under_their_names(tmp_path: Path) -> None:
    urls = {
        "east": "embedded?commit_delay_ms=12",
        "db.example": "postgresql://me:swordfish@db.example/x",
        "locking": "embedded://locking?weight=3",
        "west": f"dsql://{HOST}",
    }
    families = ("embedded", "postgresql", "embedded", "dsql")
    named = zip(urls.items(), families, strict=True)
    fake = FakeRun(
        **SMALL,
        targets=tuple(urls),
        systems={name: {"url": url, "family": family} for (name, url), family in named},
    )
    config = run_json(fake)["config"] | {"target": list(urls.values())}
    write_fake_run(tmp_path, fake)
    write_run_json(tmp_path, run_json(fake, config=config))
    assert dict(settings(build_model(tmp_path)))["targets"].split("\n") == [
        "east=embedded?commit_delay_ms=12",
        "postgresql://me:…@db.example/x",
        "embedded://locking?weight=3",
        f"west=dsql://{HOST}",
    ]
    page = write_report(tmp_path).read_text()
    assert re.search(r"dd \{[^}]*white-space: pre-line", page)


def test_what_a_target_said_of_itself(tmp_path: Path) -> None:
    systems: dict[str, dict[str, Any]] = {
        "a": {"commit_delay_ms": 12.0},
        "b": {"family": "dynamodb", "transfer": "optimistic", "data": "0b5e", "commit_delay_ms": None},
        "c": {"family": "lambda", "database": "embedded", "retry": "caller"},
        "d": {"family": "dsql", "endpoint": HOST, "region": "us-east-1"},
    }
    fake = FakeRun(**SMALL, targets=tuple(systems), systems=systems)
    facts = {
        name: dict(pairs) for name, pairs in target_facts(build_model(write_fake_run(tmp_path, fake)))
    }
    assert facts["a"]["commit delay"] == "12\xa0ms"
    assert facts["b"]["transfer"] == "optimistic"
    assert not {"data", "commit delay"} & set(facts["b"])
    assert (facts["c"]["database"], facts["c"]["retry"]) == ("embedded", "caller")
    assert (facts["d"]["endpoint"], facts["d"]["region"]) == (HOST, "us-east-1")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 s"), (0.0005, "0.5 ms"), (0.1, "100 ms"), (1, "1 s"), (150, "2.5 min")]
)
def test_lengths_of_time(value: float, text: str) -> None:
    assert seconds(value).replace("\xa0", " ") == text


# Charts


@pytest.mark.parametrize(
    ("name", "shaded"),
    [("throughput", True), ("conflicts", True), ("latency", False), ("target-throughput", False)],
)
def test_the_warm_up_is_shaded_where_something_is_drawn_in_it(
    tmp_path: Path, name: str, shaded: bool
) -> None:
    """An empty band reads as a time in which nothing happened."""
    targets = ("east", "west") if name.startswith("target") else ("east",)
    fake = FakeRun(**{**SMALL, "tps": 1500.0}, warmup_s=2.0, targets=targets)
    page = write_report(write_fake_run(tmp_path, fake)).read_text()
    figure = page.split(f'<figure id="{name}">', 1)[1].split("</figure>", 1)[0]
    assert ('opacity="0.18"' in figure) == shaded
