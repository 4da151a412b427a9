"""What a sweep answers: its headline, the sentences under it, and what must not be overlooked."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reports.documents.sweep.answer import answer
from reports.documents.sweep.summary import to_summary
from reports.statistics.sweep.knee import Knee, KneeState
from reports.statistics.sweep.study import Curve, read_study
from reports.text.rounding import about
from reports.write import answer_of
from tests.sweep_folders import FakeSweep, made, page_of, rewritten, write_fake_sweep, written_summary

CURVES = ("throughput_tps", "cost", "conflict_rate", "retry_rate", "p50_ms", "p99_ms")
USERS = (1, 2, 4, 8, 16, 32, 64, 128)


def answer_in(folder: Path) -> dict[str, Any]:
    """The answer, with nothing drawn or written."""
    return dict(to_summary(read_study(folder))["answer"])


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
        r"starts to hurt at about \d users\.",
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
        r"starts to hurt at about \d+ to \d+ users in 5 of 5 combinations of accounts\.",
    ),
    (
        # What says the same is said once.
        {"axes": {"users": (4, 32), "accounts": (10, 300, 10**5, 10**6)}},
        (
            r"hurts already at 4 users with 10 accounts, starts to hurt at about \d+ users with 300 "
            r"accounts and does not hurt up to 32 users with 100,000 accounts and 1,000,000 accounts\."
        ),
    ),
]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("changes", "headline"), ANSWERS)
def test_every_kind_of_sweep_has_an_answer(
    tmp_path: Path, changes: dict[str, Any], headline: str
) -> None:
    folder = made(tmp_path, **changes)
    page = page_of(folder)
    assert re.fullmatch(f"Contention {headline}", written_summary(folder)["answer"]["headline"])
    assert f"<h1>{written_summary(folder)['answer']['headline']}</h1>" in page.text
    assert len(page.figures) >= len(CURVES)


def test_key_types_that_differ_are_told_apart(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": USERS}, accounts=300, slower={"uuid": 6.0})
    assert re.fullmatch(
        r"Contention starts to hurt at about \S+ users with int keys and .* with uuid keys\.",
        answer_in(folder)["headline"],
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
    said = answer_in(folder)["headline"]
    assert re.fullmatch(f"Contention {headline}", said), said


@pytest.mark.usefixtures("undrawn")
def test_repeats_on_both_sides_of_the_line_cross_it_once(tmp_path: Path) -> None:
    costs: Costs = {"int": {1: (0.0,) * 3, 8: (0.03,) * 3, 64: (0.095, 0.105, 0.115)}}
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, repeats=3, keys=("int",))
    page = page_of(rewritten(folder, costing(costs)))
    said = written_summary(folder)
    assert said["answer"]["headline"] == "Contention starts to hurt between 8 and 64 users or beyond."
    onset = said["curves"][0]["onset"]
    assert (onset["state"], onset["low"], onset["high"]) == ("open", 8, None)
    assert "starts to hurt between 8 and 64 users or beyond." in page.text
    assert "falls back" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_what_was_measured_once_only_seems(tmp_path: Path) -> None:
    axes = {"users": USERS}
    for repeats in (1, 3):
        folder = made(tmp_path / str(repeats), axes=axes, accounts=300, repeats=repeats, keys=("int",))
        text = page_of(folder).text
        for words in ("seems to be", "measured once, so chance"):
            assert (words in text) is (repeats == 1), words


def test_throughput_reaches_from_the_lowest_top_to_the_highest(tmp_path: Path) -> None:
    tps = {"int": {1: 50, 8: 103, 64: 100}, "uuid": {1: 50, 8: 100, 64: 103}}

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        for key, one in summary["key_types"].items():
            one["throughput_tps"] = tps[key][point["values"]["users"]]

    folder = rewritten(made(tmp_path, axes={"users": (1, 8, 64)}), change)
    lede = answer_in(folder)["lede"]
    assert "Throughput reached 103 transactions/s." in lede
    tps["uuid"][64] = 130
    lede = answer_in(rewritten(folder, change))["lede"]
    assert "Throughput reached 103 to 130 transactions/s." in lede


def test_a_rate_that_is_not_known_is_not_said(tmp_path: Path) -> None:
    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        if point["values"]["users"] == 64:
            summary["key_types"]["int"] |= {"conflict_rate": None}

    folder = rewritten(made(tmp_path, axes={"users": (1, 8, 64)}), change)
    known = [
        place.all("conflict_rate") for curve in read_study(folder).curves for place in curve.places
    ]
    rates = [about(rate) for rate in sorted(values[0] for values in known if values)]
    assert len(rates) == 5
    lede = answer_in(folder)["lede"]
    assert all(rate in lede for rate in (rates[0], rates[-1])), lede

    def forget(point: dict[str, Any], summary: dict[str, Any]) -> None:
        summary["key_types"]["int"] |= {"conflict_rate": None}

    alone = rewritten(made(tmp_path / "one", axes={"users": (1, 8, 64)}, keys=("int",)), forget)
    assert "conflict rate" not in answer_in(alone)["lede"]


def _with_throughput(curve: Curve, changes: dict[int, float], knee: Knee) -> Curve:
    return replace(
        curve,
        knee=knee,
        places=tuple(
            replace(
                place,
                runs=tuple(
                    run.model_copy(update={"throughput_tps": run.throughput_tps * changes.get(i, 1.0)})
                    for run in place.runs
                ),
            )
            for i, place in enumerate(curve.places)
        ),
    )


def test_like_curves_have_no_two_knees(tmp_path: Path) -> None:
    """One curve by itself may show a knee and another none, and nothing tells them apart."""
    study = read_study(write_fake_sweep(tmp_path, FakeSweep(slower={}, noise=0.0)))
    one, other = study.curves
    found, none = Knee(KneeState.FOUND, 16, 4, 64), Knee(KneeState.ABOVE, low=64)
    like = replace(
        study, curves=(_with_throughput(one, {}, found), _with_throughput(other, {4: 1.05}, none))
    )
    lede = answer(like).lede
    assert "whether there is a knee is not clear" in lede.lower()
    assert "only int at 16 users shows one" in lede
    assert "no knee" not in lede
    apart = replace(like, curves=(like.curves[0], _with_throughput(other, {4: 1.5}, none)))
    assert "there seems to be no knee" in answer(apart).lede
    both = replace(
        like, curves=(like.curves[0], _with_throughput(other, {}, Knee(KneeState.FOUND, 4, 1, 64)))
    )
    assert "the knee seems to be between 4 and 16 users" in answer(both).lede.lower()


@pytest.mark.usefixtures("undrawn")
def test_what_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    folder = made(
        tmp_path,
        axes={"users": USERS},
        failed={2: "no <connection>"},
        pending=(3,),
        limited=(4,),
        broken=(5,),
    )
    (folder / "points/p006/summary.json").write_text("{")
    page = page_of(folder)
    said = "\n".join(written_summary(folder)["answer"]["attention"])
    for words in (
        "Failed and left out: 1 of 8 points", "no <connection>", "Not measured yet: 1 of 8 points",
        "the load generator was the limit", "invariant was broken at 1 point", "could not be read",
    ):  # fmt: skip
        assert words in said
        assert words.replace("<", "&lt;").replace(">", "&gt;") in page.text
    assert said in answer_of(folder)
    assert "generator was the limit" in page.text
    points = written_summary(folder)["points"]
    assert points == {"planned": 8, "reported": 5, "failed": 1, "pending": 1}


@pytest.mark.parametrize("everywhere", [True, False])
def test_points_at_which_nothing_was_committed(tmp_path: Path, everywhere: bool) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 32)}, keys=("int",))
    nothing = {
        "attempts": 0, "decided": 0, "transactions": 0, "counted": 0, "committed": 0, "conflicts": 0,
        "retried": 0,
        "conflict_rate": None, "retry_rate": None, "throughput_tps": 0.0, "time_ms": None,
        "latency_ms": {"samples": 0, "mean": None, "p50": None, "p99": None},
    }  # fmt: skip
    for number in (1, 2, 3) if everywhere else (2,):
        path = folder / f"points/p{number:03}/summary.json"
        summary = json.loads(path.read_text())
        del summary["key_types"]["int"]["predicted_conflict_rate"]
        summary["key_types"]["int"] |= nothing
        path.write_text(json.dumps(summary))
    said = answer_in(folder)["headline"]
    assert (said == "Nothing was committed at any point.") is everywhere
    assert said.startswith(("Nothing", "Contention"))


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_can_be_stopped_at_any_point(tmp_path: Path) -> None:
    axes = {"users": (1, 8, 64), "accounts": (50, 1000, 10**6)}
    for done in range(1, 9):
        folder = tmp_path / str(done)
        write_fake_sweep(folder, FakeSweep(axes=axes, pending=tuple(range(done + 1, 10)), seed=done))
        said = answer_in(folder)
        assert said["headline"].startswith("Contention")
        assert said["headline"].endswith("the only known point.") is (done == 1)
        assert f"{9 - done} of 9 points" in said["attention"][0]
    # What there is to draw of a single point, too.
    page = page_of(tmp_path / "1")
    assert len(page.figures) >= len(CURVES)


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
            "Contention does not hurt up to 2 users with retry none and up to 4 users with retry "
            "full-jitter."
        ),
    ),
    (
        {"users": (1, 2, 4), "retry": tuple("abcde")},
        [{"users": 4, "retry": "a"}, *({"users": n, "retry": "b"} for n in (2, 4))],
        (
            "Contention does not hurt up to 2 users with retry a and up to 4 users with retry c, "
            "retry d and retry e. With retry b it is not known."
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
def test_a_headline_speaks_of_what_was_measured(
    tmp_path: Path, axes: Any, missing: list[dict[str, Any]], headline: str, state: str
) -> None:
    """A grid of which points failed, or which was interrupted, has its answer all the same."""
    whole = json.loads(
        (write_fake_sweep(tmp_path / "whole", FakeSweep(axes=axes)) / "sweep.json").read_text()
    )
    numbers = tuple(p["number"] for p in whole["points"] if p["values"] in missing)
    assert len(numbers) == len(missing)
    gone: dict[str, Any] = (
        {"pending": numbers} if state == "pending" else {"failed": dict.fromkeys(numbers, "gone")}
    )
    folder = made(tmp_path / "sweep", axes=axes, accounts=10**9, **gone)
    assert answer_in(folder)["headline"] == headline
