"""What a sweep's report says in words: where contention starts to hurt, and what is known of it."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reports.sweep import write_sweep_report
from reports.sweep.knee import Knee, KneeState
from reports.sweep.scalability import Fit, NoFit
from reports.sweep.study import read_study
from reports.sweep.summary import to_summary
from tests.sweep_folders import FakeSweep, write_fake_sweep
from tests.sweep_pages import CURVES, USERS, made, page_of, rewritten, summary_of


@pytest.mark.usefixtures("undrawn")
def test_a_curve_has_the_repeats_of_its_own_key_type(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (4, 8)}, repeats=3, slower={"uuid": 3.0})
    write_sweep_report(folder)
    stored = json.loads((folder / "sweep.json").read_text())
    for curve in summary_of(folder)["curves"]:
        for place in curve["places"]:
            mine = [
                json.loads((folder / point["folder"] / "summary.json").read_text())
                for point in stored["points"]
                if point["values"] == {"users": place["value"]}
            ]
            tps = sorted(one["key_types"][curve["key_type"]]["throughput_tps"] for one in mine)
            assert place["throughput_tps"] == {"median": tps[1], "min": tps[0], "max": tps[2]}


ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"axes": {"users": (1, 8, 32)}, "accounts": 10**7}, r"does not hurt up to 32 users\."),
    ({"axes": {"users": (16, 64, 128)}, "accounts": 60}, r"hurts already at 16 users\."),
    (
        {"axes": {"rate": (100, 1000, 4000)}, "config": {"users": 300}},
        r"starts to hurt at about [\d,]+ transactions/s\.",
    ),
    ({"axes": {"accounts": (100, 10_000, 10**6)}}, r"hurts below about [\d,]+ accounts\."),
    (
        {"axes": {"think_time": (0.0, 0.05, 0.5)}, "accounts": 300},
        r"hurts below about \d+\Wms of think time\.",
    ),
    ({"axes": {"skew": ("uniform", "zipf:1.1")}}, r"costs most with skew zipf:1\.1, .*"),
    ({"axes": {"retry": ("full-jitter", "backoff")}}, r"costs about as much at every point: .*"),
    (
        {"axes": {"users": (1, 64), "target": ("a", "b c")}, "accounts": 300},
        r"starts to hurt at about .* users with target a and .* with target b c\.",
    ),
    (
        {"axes": {"users": (4, 32), "accounts": (10, 300, 10**6), "skew": ("uniform", "zipf:0.8")}},
        (
            r"starts to hurt at about [\d to]+ users in 1 of 6 combinations of accounts and skew, "
            r"hurts already at 4 users in 3 and does not hurt up to 32 users in 2\."
        ),
    ),
    (
        {"axes": {"users": (1, 32), "accounts": (100, 200, 300, 400, 500)}},
        r"starts to hurt at about \d+ to \d+ users with 100 to 500 accounts\.",
    ),
    (
        # In the order of the numbers, neighbours that say the same together.
        {"axes": {"users": (4, 32), "accounts": (10**6, 300, 10, 10**5)}},
        (
            r"hurts already at 4 users with 10 accounts, starts to hurt at about \d+ users with 300 "
            r"accounts and does not hurt up to 32 users with 100,000 to 1,000,000 accounts\."
        ),
    ),
]


@pytest.mark.parametrize(("changes", "headline"), ANSWERS)
def test_every_kind_of_sweep_has_an_answer(
    tmp_path: Path, changes: dict[str, Any], headline: str
) -> None:
    folder = made(tmp_path, **changes)
    page = page_of(folder)
    assert re.fullmatch(f"Contention {headline}", summary_of(folder)["answer"]["headline"])
    assert f"<h1>{summary_of(folder)['answer']['headline']}</h1>" in page.text
    assert len(page.figures) >= len(CURVES)


@pytest.mark.usefixtures("undrawn")
def test_key_types_that_differ_are_told_apart(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": USERS}, accounts=300, slower={"uuid": 6.0})
    write_sweep_report(folder)
    assert re.fullmatch(
        r"Contention starts to hurt at about \S+ users with int keys and .* with uuid keys\.",
        summary_of(folder)["answer"]["headline"],
    )


Costs = Mapping[str, Mapping[int, tuple[float, ...]]]


def costing(costs: Costs) -> Callable[..., None]:
    """Sets what contention costs: by key type and users, of each repeat."""

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        for key, one in summary["key_types"].items():
            one["conflict_rate"] = costs[key][point["values"]["users"]][point["repeat"] - 1]
            one["time_ms"] |= {"backoff": 0.0, "other": 0.0}

    return change


CALM: dict[int, tuple[float, ...]] = {1: (0.0,), 4: (0.02,), 16: (0.0995,), 64: (0.4,)}
CLAUSES: list[tuple[Costs, str]] = [
    # A hair on either side of the line is no difference; the same at the end of the axis.
    ({"int": CALM, "uuid": CALM | {16: (0.1005,)}}, r"starts to hurt at about 16 users\."),
    (
        {"int": CALM | {64: (0.0995,)}, "uuid": CALM | {64: (0.1005,)}},
        r"starts to hurt between 16 and 64 users or beyond\.",
    ),
    (
        {"int": CALM | {1: (0.0995,), 16: (0.3,)}, "uuid": CALM | {1: (0.1005,), 4: (0.2,)}},
        r"starts to hurt at about \d+ users with int keys and .* with uuid keys\.",
    ),
    # A great difference at the place where one bracket ends and the other begins.
    (
        {"int": CALM | {16: (0.01,)}, "uuid": CALM | {16: (0.6,)}},
        r"starts to hurt at about \d+ users with int keys and about \d users with uuid keys\.",
    ),
]


@pytest.mark.parametrize(("costs", "headline"), CLAUSES)
def test_chance_does_not_tell_key_types_apart(tmp_path: Path, costs: Costs, headline: str) -> None:
    folder = rewritten(made(tmp_path, axes={"users": (1, 4, 16, 64)}), costing(costs))
    said = to_summary(read_study(folder))["answer"]["headline"]
    assert re.fullmatch(f"Contention {headline}", said), said


@pytest.mark.usefixtures("undrawn")
def test_repeats_on_both_sides_of_the_line_cross_it_once(tmp_path: Path) -> None:
    costs: Costs = {"int": {1: (0.0,) * 3, 8: (0.03,) * 3, 64: (0.095, 0.105, 0.115)}}
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, repeats=3, keys=("int",))
    page = page_of(rewritten(folder, costing(costs)))
    said = summary_of(folder)
    assert said["answer"]["headline"] == "Contention starts to hurt between 8 and 64 users or beyond."
    onset = said["curves"][0]["onset"]
    assert (onset["state"], onset["low"], onset["high"]) == ("open", 8, None)
    assert "the repeats at 64 users lie on both sides of 10" in page.text
    assert "falls back" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_what_was_measured_once_only_seems(tmp_path: Path) -> None:
    axes = {"users": USERS}
    for repeats in (1, 3):
        folder = made(tmp_path / str(repeats), axes=axes, accounts=300, repeats=repeats, keys=("int",))
        text = page_of(folder).text
        for words in ("seems to be", "seems to pass 10", "measured once, so chance"):
            assert (words in text) is (repeats == 1), words


def test_throughputs_that_repeats_do_not_tell_apart_have_one_place(tmp_path: Path) -> None:
    tps = {"int": {1: 50, 8: 103, 64: 100}, "uuid": {1: 50, 8: 100, 64: 103}}

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        for key, one in summary["key_types"].items():
            one["throughput_tps"] = tps[key][point["values"]["users"]]

    folder = rewritten(made(tmp_path, axes={"users": (1, 8, 64)}), change)
    lede = to_summary(read_study(folder))["answer"]["lede"]
    assert "highest between 8 and 64 users: 103 transactions/s (int), 103" in lede
    tps["uuid"][64] = 130
    lede = to_summary(read_study(rewritten(folder, change)))["answer"]["lede"]
    assert "103 transactions/s at 8 users (int), 130 transactions/s at 64 users (uuid)" in lede


def test_a_rate_that_is_not_known_is_not_said(tmp_path: Path) -> None:
    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        if point["values"]["users"] == 64:
            summary["key_types"]["int"] |= {"conflict_rate": None}

    folder = rewritten(made(tmp_path, axes={"users": (1, 8, 64)}), change)
    lede = to_summary(read_study(folder))["answer"]["lede"]
    assert re.search(r"At 64 users [^()]+ \(uuid\) of attempts conflict", lede), lede
    alone = rewritten(made(tmp_path / "one", axes={"users": (1, 8, 64)}, keys=("int",)), change)
    assert "of attempts conflict." not in to_summary(read_study(alone))["answer"]["lede"]


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


GRID = {"users": (1, 2), "retry": ("none", "full-jitter")}
INCOMPLETE: list[tuple[dict[str, tuple[Any, ...]], list[dict[str, Any]], str]] = [
    (
        GRID,
        [{"users": 2, "retry": "none"}],
        (
            "Contention does not hurt up to 2 users with retry full-jitter. "
            "With retry none it is not known."
        ),
    ),
    (GRID, [], "Contention does not hurt up to 2 users."),
    (
        {"users": (1, 2, 4), "retry": ("none", "full-jitter")},
        [{"users": 4, "retry": "none"}],
        (
            "Contention does not hurt up to 2 users with retry none and does not hurt up to 4 users "
            "with retry full-jitter."
        ),
    ),
    (
        {"users": (1, 2, 4), "retry": tuple("abcde")},
        [{"users": 4, "retry": "a"}, *({"users": n, "retry": "b"} for n in (2, 4))],
        (
            "Contention does not hurt up to 2 users in 4 of 4 combinations of retry. With retry b it "
            "is not known."
        ),
    ),
    (
        {"skew": ("uniform", "zipf:0.8"), "retry": ("none", "full-jitter")},
        [{"skew": "zipf:0.8", "retry": "none"}],
        (
            "Contention costs less than 1.0\N{NO-BREAK SPACE}% of the time at every point. "
            "1 of 4 points are not known."
        ),
    ),
]


@pytest.mark.parametrize(("axes", "missing", "headline"), INCOMPLETE)
@pytest.mark.parametrize("state", ["failed", "pending"])
@pytest.mark.usefixtures("undrawn")
def test_a_headline_speaks_of_what_was_measured(
    tmp_path: Path, axes: Any, missing: list[dict[str, Any]], headline: str, state: str
) -> None:
    """A grid of which points failed, or which was interrupted, has its page all the same."""
    whole = json.loads(
        (write_fake_sweep(tmp_path / "whole", FakeSweep(axes=axes)) / "sweep.json").read_text()
    )
    numbers = tuple(p["number"] for p in whole["points"] if p["values"] in missing)
    assert len(numbers) == len(missing)
    gone: dict[str, Any] = (
        {"pending": numbers} if state == "pending" else {"failed": dict.fromkeys(numbers, "gone")}
    )
    folder = made(tmp_path / "sweep", axes=axes, accounts=10**9, **gone)
    page_of(folder)
    assert summary_of(folder)["answer"]["headline"] == headline
