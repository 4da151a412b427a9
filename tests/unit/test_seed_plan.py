"""What may be asked for, and what is done about what is there."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from loadtest.workload.builtin.transfer import Transfer
from loadtest.workload.keyspace import KeyType
from seed import Manifest, SeedPlan
from seed.plan import Action, decide

PLAN = SeedPlan((KeyType.UUID,), 100)
TABLE = Transfer().table(KeyType.UUID).name
THERE = Manifest(
    table=TABLE,
    load_id=uuid.uuid4(),
    state="complete",
    key_type=KeyType.UUID,
    key_source="computed",
    key_seed=1,
    balance=10_000,
    accounts=100,
    part_start=0,
    batch=1_000,
    block=262_000,
    total=1_000_000,
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accounts": 0}, "--accounts 0"),
        ({"accounts": 1}, "--accounts 1"),
        ({"accounts": -5}, "--accounts -5"),
        ({"accounts": None}, "--accounts"),
        ({"workers": 0}, "--workers 0"),
        ({"workers": -1}, "--workers -1"),
        ({"batch": 0}, "--batch 0"),
        ({"batch": 2_901}, "--batch 2901"),
        ({"balance": -1}, "--balance -1"),
        ({"balance": 10**18 + 1}, "--balance"),
        ({"seed": -1}, "--seed -1"),
        ({"seed": 2**63}, "--seed"),
        ({"key_types": ()}, "--keys"),
        ({"key_types": (KeyType.INT, KeyType.INT)}, "twice"),
        ({"key_types": (KeyType.INT, KeyType.UUID), "keys_from": Path("k")}, "one type"),
    ],
)
def test_a_plan_without_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        replace(PLAN, **changes)
    assert "\n" not in str(caught.value)


def choose(
    plan: SeedPlan = PLAN,
    found: Manifest | None = THERE,
    fits: bool | None = True,
    source: str = "computed",
) -> Action:
    return decide(plan, TABLE, source, plan.accounts or 0, found, fits)


def test_what_is_there_decides() -> None:
    loading = replace(THERE, state="loading")
    assert choose() is Action.CHECK
    assert choose(found=None, fits=None) is Action.CREATE
    assert choose(fits=None) is Action.CREATE  # recorded, but dropped by hand
    assert choose(found=loading) is Action.RESUME
    assert choose(found=replace(THERE, state="creating")) is Action.REPLACE
    assert choose(replace(PLAN, accounts=101)) is Action.EXTEND
    assert choose(replace(PLAN, batch=7)) is Action.CHECK  # no batch will be made
    assert choose(replace(PLAN, workers=9), loading) is Action.RESUME
    assert choose(replace(PLAN, recreate=True), None) is Action.REPLACE
    assert choose(replace(PLAN, recreate=True, balance=1)) is Action.REPLACE


@pytest.mark.parametrize(
    ("plan", "found", "fits", "source", "message"),
    [
        (PLAN, None, True, "computed", "did not make"),
        (PLAN, THERE, False, "computed", "other columns"),
        (replace(PLAN, accounts=99), THERE, True, "computed", "100 accounts, not 99"),
        (replace(PLAN, seed=2), THERE, True, "computed", "seed 1, not 2"),
        (replace(PLAN, balance=2), THERE, True, "computed", "balance of 10,000, not 2"),
        (PLAN, THERE, True, "file:00", "computed keys, not those of the file"),
        (
            PLAN,
            replace(THERE, key_source="file:11"),
            True,
            "file:00",
            "another file",
        ),
        (
            replace(PLAN, accounts=200),
            replace(THERE, state="loading"),
            True,
            "computed",
            "half loaded with 100 accounts, not 200",
        ),
        (
            replace(PLAN, batch=7),
            replace(THERE, state="loading"),
            True,
            "computed",
            "--batch 1000",
        ),
    ],
)
def test_what_is_in_the_way_is_named_with_the_remedy(
    plan: SeedPlan,
    found: Manifest | None,
    fits: bool,
    source: str,
    message: str,
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        choose(plan, found, fits, source)
    assert "--recreate" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_seed_does_not_matter_where_it_makes_no_key() -> None:
    numbered = replace(THERE, key_type=KeyType.INT)
    plan = SeedPlan((KeyType.INT,), 100, seed=2)
    assert decide(plan, TABLE, "computed", 100, numbered, True) is Action.CHECK
    listed = replace(THERE, key_source="file:00")
    assert choose(replace(PLAN, seed=2), listed, source="file:00") is Action.CHECK
