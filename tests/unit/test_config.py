"""What is wrong with an option is said in one line that names it."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.config.fields import flag_of
from loadtest.config.run import RunConfig, SeedConfig
from loadtest.errors import InputError
from loadtest.workload.keyspace import KeyType

BAD_FOR_BOTH: list[tuple[dict[str, Any], str]] = [
    ({"scenario": "tpcc"}, "--scenario"),
    ({"keys": ""}, "--keys"),
    ({"keys": "int,int"}, "--keys"),
    ({"keys": "bigint"}, "--keys"),
    ({"keys": "int,,serial"}, "--keys"),
    ({"accounts": "1"}, "--accounts"),
    ({"accounts": "many"}, "--accounts"),
    ({"accounts": "-10"}, "--accounts"),
    ({"accounts": "1.5"}, "--accounts"),
    ({"seed": "-1"}, "--seed"),
    ({"seed": str(2**63)}, "--seed"),
    ({"keys": "int,uuid", "keys_from": "f"}, "--keys-from"),
    ({"target": "mysql://h/db"}, "--target"),
    ({"target": ""}, "--target"),
    ({"target": "postgresql://u:a@b@h/db"}, "--target"),
    ({"target": "postgresql://[::1/db"}, "--target"),
    ({"bogus": "1"}, "--bogus"),
]
BAD_RUN: list[tuple[dict[str, Any], str]] = [
    *BAD_FOR_BOTH,
    ({"target": []}, "--target"),
    ({"target": ["embedded", "embedded?commit_delay_ms=5"]}, "--target"),
    ({"target": ["a=embedded", "a=embedded://locking"]}, "--target"),
    ({"target": ["embedded", "b=embedded"], "users": "1"}, "--users"),
    ({"users": "0"}, "--users"),
    ({"users": "-1"}, "--users"),
    ({"users": "x"}, "--users"),
    ({"users": "1.5"}, "--users"),
    ({"users": "100001"}, "--users"),
    ({"duration": "0"}, "--duration"),
    ({"duration": "-5s"}, "--duration"),
    ({"duration": "five"}, "--duration"),
    ({"duration": ""}, "--duration"),
    ({"duration": "nan"}, "--duration"),
    ({"duration": math.nan}, "--duration"),
    ({"duration": "999h"}, "--duration"),
    ({"warmup": "-1s"}, "--warmup"),
    ({"warmup": math.nan}, "--warmup"),
    ({"warmup": "25h"}, "--warmup"),
    ({"rate": "0"}, "--rate"),
    ({"rate": "-1"}, "--rate"),
    ({"rate": "nan"}, "--rate"),
    ({"rate": "inf"}, "--rate"),
    ({"rate": "fast"}, "--rate"),
    ({"think_time": "-1"}, "--think-time"),
    ({"think_time": math.inf}, "--think-time"),
    ({"rate": "5", "think_time": "1s"}, "--think-time"),
    ({"skew": "zipf:9"}, "--skew"),
    ({"skew": "hotspot:2/0.1"}, "--skew"),
    ({"skew": ""}, "--skew"),
    ({"retry": "hope"}, "--retry"),
    ({"max_attempts": "-1"}, "--max-attempts"),
    ({"retry_base_ms": "-1"}, "--retry-base-ms"),
    ({"retry_base_ms": "nan"}, "--retry-base-ms"),
    ({"retry_base_ms": "10", "retry_cap_ms": "5"}, "--retry-cap-ms"),
    ({"retry_cap_ms": "inf"}, "--retry-cap-ms"),
    ({"block": "0"}, "--block"),
    ({"block": "2h"}, "--block"),
    ({"spawn_rate": "0"}, "--spawn-rate"),
    ({"spawn_rate": "inf"}, "--spawn-rate"),
    ({"spawn_rate": "nan"}, "--spawn-rate"),
    ({"processes": "0"}, "--processes"),
    ({"processes": "9", "users": "8"}, "--processes"),
    ({"label": "a/b"}, "--label"),
    ({"label": "a\n"}, "--label"),
    ({"label": "x" * 81}, "--label"),
]
BAD_SEED: list[tuple[dict[str, Any], str]] = [
    *BAD_FOR_BOTH,
    ({"workers": "0"}, "--workers"),
    ({"workers": "513"}, "--workers"),
    ({"batch": "0"}, "--batch"),
    ({"batch": "2901"}, "--batch"),
    ({"balance": "-1"}, "--balance"),
    ({"balance": str(10**18 + 1)}, "--balance"),
    ({"accounts": str(10**10 + 1)}, "--accounts"),
    ({"recreate": "perhaps"}, "--recreate"),
    ({"keys": "int,uuid", "export_keys": "f"}, "--export-keys"),
]


def check_one_line(error: InputError, flag: str) -> None:
    text = str(error)
    assert flag in text
    assert "\n" not in text
    assert len(text) < 400
    for noise in ("pydantic", "validation error", "ValueError", "[type="):
        assert noise not in text


@pytest.mark.parametrize(("given", "flag"), BAD_RUN)
def test_a_bad_run_is_one_line_naming_the_flag(given: dict[str, Any], flag: str) -> None:
    with pytest.raises(InputError) as caught:
        RunConfig.read(**given)
    check_one_line(caught.value, flag)


@pytest.mark.parametrize(("given", "flag"), BAD_SEED)
def test_a_bad_seeding_is_one_line_naming_the_flag(given: dict[str, Any], flag: str) -> None:
    with pytest.raises(InputError) as caught:
        SeedConfig.read(**given)
    check_one_line(caught.value, flag)


@given(st.sampled_from(sorted(set(RunConfig.model_fields) - {"target", "keys_from", "out"})), st.text())
def test_any_text_is_understood_or_refused_in_one_line(field: str, text: str) -> None:
    try:
        RunConfig.read(**{field: text})
    except InputError as error:
        refusal = str(error)
    else:
        return
    assert "--" in refusal
    assert len(refusal.splitlines()) == 1


@pytest.mark.parametrize("target", ["embedded", "dynamodb://us-east-1"])
def test_what_consistency_compares_is_said_at_once(target: str) -> None:
    with pytest.raises(InputError) as caught:
        RunConfig.read(target=target, consistency="1s")
    assert "endpoints of one database that speak SQL" in str(caught.value)
    assert "needs at least two such targets" in str(caught.value)


def test_the_defaults_are_a_run() -> None:
    config = RunConfig.read()
    assert config.target == ("embedded",)
    assert config.keys == (KeyType.INT, KeyType.UUID)
    policy = config.retry_policy()
    assert (policy.name, policy.base_s, policy.cap_s, policy.max_attempts) == (
        "full-jitter", 0.005, 1.0, 10,
    )  # fmt: skip
    with pytest.raises(ValueError, match="frozen"):
        config.users = 5  # type: ignore[misc]


def test_what_a_form_leaves_blank_is_open() -> None:
    config = RunConfig.read(rate="", accounts=" ", spawn_rate="", keys="int", keys_from="")
    assert (config.rate, config.accounts, config.spawn_rate, config.keys_from) == (None,) * 4


def test_lists_are_taken_with_spaces() -> None:
    assert RunConfig.read(keys=" uuid , int,").keys == (KeyType.UUID, KeyType.INT)
    assert SeedConfig.read(keys="uuid7").keys == (KeyType.UUID7,)
    assert RunConfig.read(target="east=embedded").target == ("east=embedded",)
    assert RunConfig.read(out="there").out == Path("there")


def test_flags_have_dashes() -> None:
    assert flag_of("max_attempts") == "--max-attempts"


# Numbers, and what is quoted


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("users", "1_000"), ("users", " 5"), ("users", "+1"), ("users", "\u0665"), ("users", "5\n"),
        ("rate", "1_0.5"), ("rate", "+1"), ("rate", "\u0665"), ("accounts", "1_000"),
        ("seed", "\uff11"), ("retry_base_ms", "1_0"), ("skew", "zipf:0_9"), ("duration", "1_0s"),
        ("think_time", "\u0665s"), ("target", "embedded?weight=1_0"), ("dpu_price", "+8"),
    ],
)  # fmt: skip
def test_a_number_is_made_of_digits(option: str, text: str) -> None:
    flag = f"--{option.replace('_', '-')}"
    with pytest.raises(InputError, match=flag) as caught:
        RunConfig.read(**{option: text})
    assert "\n" not in str(caught.value)


def test_numbers_may_be_said_as_ever() -> None:
    config = RunConfig.read(users="64", rate="1e3", retry_base_ms=".5", think_time="0.0")
    assert (config.users, config.rate, config.retry_base_ms) == (64, 1000, 0.5)


@pytest.mark.parametrize("option", ["users", "skew", "keys", "scenario", "label", "duration", "retry"])
def test_what_is_typed_in_the_wrong_place_is_not_shown(option: str) -> None:
    """A URL behind another option than --target may hold a password as well."""
    for text in ("postgresql://u:hunter2@h/d", "password=hunter2", "u:hunter2@h"):
        with pytest.raises(InputError, match=f"--{option}") as caught:
            RunConfig.read(**{option: text})
        assert "hunter2" not in str(caught.value)


def test_what_is_long_is_shortened_and_what_a_terminal_obeys_is_shown() -> None:
    with pytest.raises(InputError) as caught:
        RunConfig.read(scenario="\x1b[31m" + 200 * "x")
    assert "'\\x1b[31mxxx" in str(caught.value)
    assert len(str(caught.value)) < 140


def test_of_several_targets_it_is_said_which_one_is_wrong() -> None:
    with pytest.raises(InputError, match=r"--target \(2 of 3\): the target is of no known family"):
        RunConfig.read(target=["a=embedded", "Server=h;Password=hunter2", "b=embedded"], users=3)
