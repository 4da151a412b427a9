"""A sweep's summary: its figures, its curves, and folders that have none."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from reports.documents.sweep.summary import to_summary
from reports.statistics.sweep.knee import Knee, KneeState
from reports.statistics.sweep.scalability import Fit, NoFit
from reports.statistics.sweep.study import read_study
from reports.write import answer_of, write_report
from tests.sweep_folders import made, page_of, rewritten, written_summary

USERS = (1, 2, 4, 8, 16, 32, 64, 128)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    axes = {"users": USERS, "accounts": (300, 30_000)}
    return made(tmp_path_factory.mktemp("sweep"), axes=axes, repeats=2)


def test_the_summary_says_what_results_format_promises(folder: Path) -> None:
    summary = to_summary(read_study(folder))
    promised = (Path(__file__).parents[2] / "docs/results-format.md").read_text(encoding="utf-8")
    promised = promised[promised.index("### sweep-summary.json") :].replace("[]`", "`")

    def check(value: Any) -> None:
        if isinstance(value, list | tuple):
            for one in value:
                check(one)
        elif isinstance(value, dict):
            for name, one in value.items():
                if name not in ("users", "accounts"):
                    assert f"`{name}`" in promised, name
                check(one)

    check(summary)
    assert summary["points"] == {"planned": 32, "reported": 32, "failed": 0, "pending": 0}
    assert (summary["axis"], summary["other_axes"]) == ("users", ["accounts"])
    assert len(summary["curves"]) == 4
    for curve in summary["curves"]:
        assert [place["value"] for place in curve["places"]] == list(USERS)
        assert all(len(place["points"]) == 2 for place in curve["places"])


@pytest.mark.usefixtures("undrawn")
def test_the_answer_is_where_the_cost_passes_a_tenth(folder: Path) -> None:
    write_report(folder)
    for curve in written_summary(folder)["curves"]:
        costs = {place["value"]: place["contention_cost"] for place in curve["places"]}
        onset = curve["onset"]
        if curve["at"]["accounts"] == 300:
            assert onset["state"] == "found"
            assert costs[onset["low"]]["max"] < 0.1 <= costs[onset["high"]]["min"]
            assert onset["low"] < onset["at"] < onset["high"]
        else:
            assert onset["state"] == "not reached"
            assert max(cost["max"] for cost in costs.values()) < 0.1
    said = answer_of(folder).splitlines()
    assert re.match(
        r"Contention starts to hurt at about .* with 300 accounts and does not hurt", said[0]
    )


def test_a_curve_has_the_repeats_of_its_own_key_type(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (4, 8)}, repeats=3, slower={"uuid": 3.0})
    stored = json.loads((folder / "sweep.json").read_text())
    for curve in to_summary(read_study(folder))["curves"]:
        for place in curve["places"]:
            mine = [
                json.loads((folder / point["folder"] / "summary.json").read_text())
                for point in stored["points"]
                if point["values"] == {"users": place["value"]}
            ]
            tps = sorted(one["key_types"][curve["key_type"]]["throughput_tps"] for one in mine)
            assert place["throughput_tps"] == {"median": tps[1], "min": tps[0], "max": tps[2]}


def test_several_targets_are_never_mixed(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (4, 16, 64)}, targets=("east", "west"), keys=("uuid",))
    assert [(c["target"], c["key_type"]) for c in to_summary(read_study(folder))["curves"]] == [
        ("east", "uuid"),
        ("west", "uuid"),
    ]


def test_where_nothing_is_committed_any_more_there_was_a_knee(tmp_path: Path) -> None:
    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        if point["values"]["users"] == 64:
            one = summary["key_types"]["int"]
            one |= {"committed": 0, "throughput_tps": 0.0, "conflict_rate": 1.0}
            one["latency_ms"] |= {"mean": None, "p50": None, "p99": None}

    folder = made(
        tmp_path, axes={"users": (1, 4, 16, 64)}, keys=("int",), accounts=10**7, capacity_tps=1e6
    )
    assert read_study(folder).curves[0].knee == Knee(KneeState.ABOVE, low=16)
    knee = read_study(rewritten(folder, change)).curves[0].knee
    assert knee == Knee(KneeState.FOUND, 16, 4, 64)


@pytest.mark.usefixtures("undrawn")
def test_the_law_is_that_of_the_database_and_of_its_own_users(tmp_path: Path) -> None:
    users = (1, 2, 4, 8, 16, 32, 64)

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        n = point["values"]["users"]
        summary["generator"]["was_limit"] = n == 64
        for one in summary["key_types"].values():
            one["throughput_tps"] = 100.0 * n / (1 + 0.05 * (n - 1)) * (0.5 if n == 64 else 1)

    folder = rewritten(made(tmp_path, axes={"users": users}, repeats=2, keys=("int",)), change)
    law = read_study(folder).curves[0].law
    assert isinstance(law, Fit)
    assert law.sigma.value == pytest.approx(0.05)
    text = page_of(folder).text
    assert "without 64 users. Left out: where the generator was the limit" in text
    several = made(tmp_path / "two", axes={"users": users}, repeats=2, targets=("east", "west"))
    laws = [curve.law for curve in read_study(several).curves]
    assert [isinstance(law, NoFit) for law in laws] == [True] * 4
    assert "no law of one target" in page_of(several).text


DAMAGED: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("no key types", lambda summary: summary["key_types"].clear()),
    ("NaN", lambda summary: summary["key_types"]["int"].update(throughput_tps=math.nan)),
    ("throughput_tps", lambda summary: summary["key_types"]["int"].update(throughput_tps="many")),
    ("conflict_rate is 7", lambda summary: summary["key_types"]["int"].update(conflict_rate=7)),
    ("p99_ms is -3", lambda summary: summary["key_types"]["int"]["latency_ms"].update(p99=-3)),
    ("statements", lambda summary: summary["key_types"]["int"]["time_ms"].update(statements=-1.0)),
    ("conflicts is", lambda summary: summary["key_types"]["int"].update(conflicts=10**9)),
]


@pytest.mark.parametrize(("reason", "damage"), DAMAGED)
def test_figures_that_cannot_be_make_a_point_unreadable(
    tmp_path: Path, reason: str, damage: Callable[[dict[str, Any]], object]
) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, keys=("int",))

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        if point["number"] == 2:
            damage(summary)

    said = to_summary(read_study(rewritten(folder, change)))
    assert said["points"]["reported"] == 2
    assert re.search(f"1 point could not be read: .*{reason}", "\n".join(said["answer"]["attention"]))


@pytest.mark.parametrize("spoil", ["nothing", "pending", "failed", "unreadable"])
def test_a_folder_without_anything_to_report_is_refused(tmp_path: Path, spoil: str) -> None:
    everything = tuple(range(1, 3))
    changes: dict[str, Any] = {"axes": {"users": (1, 8)}}
    if spoil == "pending":
        changes["pending"] = everything
    elif spoil == "failed":
        changes["failed"] = dict.fromkeys(everything, "it was not there")
    folder = tmp_path if spoil == "nothing" else made(tmp_path, **changes)
    if spoil == "unreadable":
        for number in everything:
            (folder / f"points/p{number:03}/summary.json").unlink()
    with pytest.raises(InputError) as refused:
        write_report(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (folder / "report.html").exists()
