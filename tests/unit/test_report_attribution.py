"""Who failed whom: against a plain double loop, and against histories whose truth is known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.record.outcome import CONFLICTS, Outcome
from reports import summarise
from reports.analysis.conflicts import attribution
from reports.analysis.conflicts.attribution import Attribution, find_attribution, winners
from reports.analysis.reading.attempts import open_attempts
from reports.analysis.reading.systems import Databases
from tests.examples import at_most
from tests.occ_history import simulate
from tests.run_folders import BEGIN_NS, hand_made

NOBODY, SEVERAL = -1, -2

attempts_of_a_run = st.lists(
    st.fixed_dictionaries(
        {
            "target": st.integers(0, 2),
            "key_type": st.integers(0, 1),
            "outcome": st.sampled_from([Outcome.COMMITTED, Outcome.CONFLICT_DATA, Outcome.REFUSED]),
            "rows": st.lists(st.integers(0, 4), min_size=0, max_size=3),
            "start_ns": st.integers(0, 20),
            "statements_ns": st.integers(0, 6),
            "commit_ns": st.integers(0, 6),
        }
    ),
    min_size=1,
    max_size=30,
)


def by_hand(rows: list[dict[str, Any]], system: list[int]) -> list[int]:
    """Every failed attempt against every committed one."""
    found = []
    for loser in rows:
        if loser["outcome"] not in CONFLICTS:
            continue
        end = loser["start_ns"] + loser["statements_ns"] + loser["commit_ns"]
        fits = set()
        for winner in rows:
            ended = winner["start_ns"] + winner["statements_ns"] + winner["commit_ns"]
            sent = winner["start_ns"] + (winner["statements_ns"] if winner["commit_ns"] else 0)
            if (
                winner["outcome"] is Outcome.COMMITTED
                and winner["key_type"] == loser["key_type"]
                and system[winner["target"]] == system[loser["target"]]
                and set(winner["rows"]) & set(loser["rows"])
                and sent <= end
                and ended >= loser["start_ns"]
            ):
                fits.add(winner["target"])
        found.append(NOBODY if not fits else SEVERAL if len(fits) > 1 else fits.pop())
    return found


def table_of_targets(names: Sequence[str], system: dict[str, int]) -> pd.DataFrame:
    """What `winners` knows of targets that are named by one letter each."""
    return pd.DataFrame(
        {
            "name": list(names), "asked": True, "database": [system[name] for name in names],
            "place": [sorted(system).index(name) for name in names],
        }
    )  # fmt: skip


@pytest.mark.parametrize("room", [1 << 62, 64], ids=["in one", "some after the other"])
@at_most(20)
@given(rows=attempts_of_a_run, system=st.sampled_from([(0, 0, 0), (0, 1, 0), (0, 1, 2)]))
def test_winners_are_those_of_a_double_loop(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    system: tuple[int, ...],
    room: int,
) -> None:
    written = [
        {
            **row, "target": "abc"[row["target"]], "key_type": ("int", "uuid")[row["key_type"]],
            "start_ns": BEGIN_NS + row["start_ns"],
        }
        for row in rows
    ]  # fmt: skip
    folder = hand_made(tmp_path_factory.mktemp("run"), written)
    with pytest.MonkeyPatch.context() as patch, open_attempts(folder) as attempts:
        patch.setattr(attribution, "_ROOM", room)
        targets = table_of_targets(attempts.targets, dict(zip("abc", system, strict=True)))
        found = winners(attempts, targets, 0, 1 << 62).sort_values("transaction")
    assert found["winner"].tolist() == by_hand(rows, list(system))


@pytest.mark.parametrize("accounts", [200, 5000])
def test_a_known_winner_is_the_true_one(tmp_path: Path, accounts: int) -> None:
    """And in a whole record every loser has a winner."""
    history = simulate({"east": 12, "west": 35}, users=24, accounts=accounts, seconds=8)
    with open_attempts(hand_made(tmp_path, history.rows)) as attempts:
        names = attempts.targets
        targets = table_of_targets(names, dict.fromkeys(names, 0))
        found = winners(attempts, targets, 0, 1 << 62).sort_values(["transaction", "attempt"])
    failed = [i for i, row in enumerate(history.rows) if row["outcome"] == Outcome.CONFLICT_DATA]
    failed.sort(
        key=lambda i: (history.rows[i].get("transaction", i), history.rows[i].get("attempt", 1))
    )
    assert len(found) == len(failed) > 20
    truths = [history.failed_by[place] for place in failed]
    for winner, truth in zip(found["winner"].tolist(), truths, strict=True):
        assert truth
        assert winner != NOBODY
        if winner != SEVERAL:
            assert truth == {names[winner]}
    known = float(np.mean(found["winner"] >= 0))
    assert known > (0.9 if accounts == 5000 else 0.5), "less contention, fewer that fit"


def test_in_pieces_and_in_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of time one after the other find what all at once does; of many some are looked at."""
    history = simulate({"east": 12, "west": 35}, users=24, accounts=500, seconds=8)
    folder = hand_made(tmp_path, history.rows)

    def matrix() -> Attribution:
        with open_attempts(folder) as attempts:
            found = find_attribution(attempts, Databases((0, 0), (True, True)))
        assert found is not None
        return found

    whole = matrix()
    monkeypatch.setattr(attribution, "_AT_ONCE", len(history.rows) // 7)
    pieces = matrix()
    assert pieces.sampled == whole.sampled == 1
    for name in ("counts", "unknown", "ambiguous"):
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))
    monkeypatch.setattr(attribution, "_MOST", len(history.rows) // 3)
    sample = matrix()
    assert 0.1 < sample.sampled < 0.6
    assert 0 < sample.counts.sum() < whole.counts.sum()


def test_the_matrix_counts_every_conflict_once(tmp_path: Path) -> None:
    history = simulate({"east": 12, "west": 35}, users=24, accounts=500, seconds=8)
    summary = summarise(hand_made(tmp_path, history.rows))
    found = summary["conflict_matrix"]
    known = sum(pair["conflicts"] for pair in found["pairs"])
    assert known == found["known"] > 0
    assert found["known"] + found["unknown"] + found["ambiguous"] == summary["overall"]["conflicts"]
    assert [(pair["failed"], pair["won"]) for pair in found["pairs"]] == [
        ("east", "east"), ("east", "west"), ("west", "east"), ("west", "west")
    ]  # fmt: skip
    commits = {name: part["committed"] for name, part in summary["targets"].items()}
    # Twelve users here and twelve there: of one's own only those of eleven others can win.
    share = commits["east"] * 11 / 12 / (commits["east"] * 11 / 12 + commits["west"])
    assert found["pairs"][0]["expected_share"] == pytest.approx(share, abs=0.001)
    assert sum(pair["expected_share"] for pair in found["pairs"][:2]) == pytest.approx(1)


def lost_to_west(**more: Any) -> list[dict[str, Any]]:
    return [
        {"target": "west", "outcome": "committed"},
        {"target": "east", "outcome": "conflict_data", "sqlstate": "40001", **more},
    ]


def test_one_conflict(tmp_path: Path) -> None:
    found = summarise(hand_made(tmp_path, lost_to_west()))["conflict_matrix"]
    assert {"failed": "east", "won": "west", "conflicts": 1, "expected_share": 1.0} in found["pairs"]
    assert (found["known"], found["unknown"], found["ambiguous"]) == (1, 0, 0)


@pytest.mark.parametrize(
    "targets",
    [
        [{"name": "east", "data": "a"}, {"name": "west", "data": "b"}],
        [{"name": "east", "data": "a"}, {"name": "west"}],
        [{"name": "east"}, {"name": "west"}],
    ],
    ids=["others", "one unknown", "both unknown"],
)
def test_targets_that_share_nothing_have_no_matrix(
    tmp_path: Path, targets: list[dict[str, Any]]
) -> None:
    assert "conflict_matrix" not in summarise(hand_made(tmp_path, lost_to_west(), targets=targets))


def test_a_target_that_nobody_knows_takes_the_matrix_from_all(tmp_path: Path) -> None:
    """The winner may have been its commit, which fits as well as the one found."""
    rows = [*lost_to_west(), {"target": "fn", "outcome": "committed", "rows": [8, 9]}]
    known = [{"name": name, "data": "a"} for name in ("east", "west", "fn")]
    assert summarise(hand_made(tmp_path / "a", rows, targets=known))["conflict_matrix"]["known"] == 1
    unknown = [*known[:2], {"name": "fn"}]
    assert "conflict_matrix" not in summarise(hand_made(tmp_path / "b", rows, targets=unknown))


@pytest.mark.parametrize("users", [2, 3, 4, 24])
def test_without_an_effect_of_the_region_winners_are_as_expected(tmp_path: Path, users: int) -> None:
    """Equal ways, so that every commit of another user is as likely to win as any other."""
    delays = {"east": 12.0, "west": 12.0}
    accounts = max(12, 40 * (users - 2))
    seconds = 60 if users < 5 else 8
    history = simulate(delays, users=users, accounts=accounts, seconds=seconds)
    end = {"config": {"duration": seconds, "accounts": accounts}, "measured_until_ns": None}
    found = summarise(hand_made(tmp_path, history.rows, **end))["conflict_matrix"]
    pairs = {(pair["failed"], pair["won"]): pair for pair in found["pairs"]}
    for failed in ("east", "west"):
        lost = sum(pairs[failed, won]["conflicts"] for won in ("east", "west"))
        assert lost > 20
        for won in ("east", "west"):
            share, expected = (
                pairs[failed, won]["conflicts"] / lost,
                pairs[failed, won]["expected_share"],
            )
            chance = 4 * (expected * (1 - expected) / lost) ** 0.5
            assert abs(share - expected) <= chance, (failed, won)
    if users == 2:
        assert pairs["east", "east"]["expected_share"] == 0, "nobody fails himself"
        assert pairs["east", "west"]["expected_share"] == 1


def test_without_conflicts_or_targets_there_is_no_matrix(tmp_path: Path) -> None:
    none = [{"target": name, "outcome": "committed"} for name in ("east", "west")]
    assert "conflict_matrix" not in summarise(hand_made(tmp_path / "a", none))
    one = [{**row, "target": "east"} for row in lost_to_west()]
    summary = summarise(hand_made(tmp_path / "b", one))
    assert not {"conflict_matrix", "target_comparisons"} & set(summary)


def test_a_change_of_the_schema_has_no_winner(tmp_path: Path) -> None:
    rows = lost_to_west(outcome="conflict_schema")
    assert "conflict_matrix" not in summarise(hand_made(tmp_path, rows))
