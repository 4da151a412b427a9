"""From one declaration of an option to everywhere it appears."""

import os
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from loadtest.cli.application import app
from loadtest.config.options import options_of
from loadtest.config.run import RunConfig, SeedConfig
from loadtest.errors import InputError
from loadtest.locust.arguments import (
    add_locust_arguments,
    config_from_locust,
    locust_arguments,
    to_locust,
)
from loadtest.workload.keyspace import KeyType
from loadtest.workload.retry import POLICIES
from loadtest.workload.skew import parse_skew
from tests.commands import REPOSITORY

SECONDS = st.floats(0, 3600, allow_nan=False)
POSITIVE = st.floats(1e-3, 1e6, allow_nan=False)
MS = st.floats(0, 300_000, allow_nan=False)
SKEWS = st.one_of(
    st.just("uniform"),
    st.floats(0, 5, exclude_min=True).map(lambda theta: f"zipf:{theta}"),
    st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999)).map(lambda s: f"hotspot:{s[0]}/{s[1]}"),
)
TARGETS = st.sampled_from(
    [
        ("embedded",),
        ("embedded://locking",),
        ("east=embedded?commit_delay_ms=12", "west=embedded?commit_delay_ms=35"),
        ("a=postgresql://u:p%40ss@h:5432/db?sslmode=require", "b=embedded?data=/tmp/x"),
    ]
)


@st.composite
def configs(draw: st.DrawFn) -> RunConfig:
    """Any run that is valid and that Locust's arguments can say."""
    base = draw(MS)
    rate = draw(st.none() | POSITIVE)
    users = draw(st.integers(2, 100_000))
    keys = draw(
        st.permutations(list(KeyType)).flatmap(lambda k: st.integers(1, 3).map(lambda n: k[:n]))
    )
    values: dict[str, Any] = {
        "target": draw(TARGETS),
        "keys": keys,
        "users": users,
        "duration": draw(st.integers(1, 100_000)),
        "warmup": draw(st.integers(0, 10_000)),
        "rate": rate,
        "think_time": draw(SECONDS) if rate is None else 0,
        "accounts": draw(st.none() | st.integers(2, 10**10)),
        "skew": draw(SKEWS),
        "retry": draw(st.sampled_from(list(POLICIES))),
        "max_attempts": draw(st.integers(0, 10**6)),
        "retry_base_ms": base,
        "retry_cap_ms": base + draw(MS),
        "block": draw(st.floats(0.05, 3600)),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "spawn_rate": draw(st.none() | POSITIVE),
        "keys_from": draw(st.none() | st.just("keys of ours.txt")) if len(keys) == 1 else None,
        "out": draw(st.sampled_from(["results", "/tmp/a b", "r-1"])),  # noqa: S108
        "label": draw(st.from_regex(r"[A-Za-z0-9._-]{0,20}", fullmatch=True)),
    }
    return RunConfig.read(**values)


@given(configs())
def test_a_run_goes_through_locust_and_comes_back(config: RunConfig) -> None:
    options = Namespace(**to_locust(config))
    options.num_users = config.users
    options.spawn_rate = config.spawn_rate
    assert config.duration is not None
    options.run_time = config.duration + config.warmup
    assert config_from_locust(options) == config


class Recorded:
    """A stand-in for Locust's parser that keeps what was added, as argparse and its form would."""

    def __init__(self) -> None:
        self.added: dict[str, dict[str, Any]] = {}

    def add_argument(self, flag: str, **more: Any) -> None:
        self.added[flag] = more


def test_locust_knows_every_option_that_is_not_its_own() -> None:
    parser = Recorded()
    add_locust_arguments(parser)
    wanted = {
        f"--occ-{option.name.replace('_', '-')}": option
        for option in options_of(RunConfig)
        if not option.own_by_locust
    }
    assert set(parser.added) == {*wanted, "--occ-strict"}
    for flag, option in wanted.items():
        more = parser.added[flag]
        assert more["dest"] == f"occ_{option.name}"
        assert more["include_in_web_ui"] is option.in_form
        assert more["default"] == option.text


REAL_PARSER = """
import sys
from locust import events
from loadtest.locust.arguments import add_locust_arguments, config_from_locust, locust_arguments
from loadtest.config.run import RunConfig
events.init_command_line_parser.add_listener(add_locust_arguments)
from locust.argument_parser import get_parser
parser = get_parser()
print(parser.format_help())
config = RunConfig.read(users=7, duration=100, warmup=3, rate=500.25, skew="zipf:1.1", label="x-1",
    target=["a=embedded", "b=embedded://locking"], spawn_rate=2.5, accounts=99, block=1.5)
options = parser.parse_args(locust_arguments(config))
options.run_time = 103
print("SAME" if config_from_locust(options) == config else config_from_locust(options))
plain = parser.parse_args([])
plain.run_time = 65
print("DEFAULT" if config_from_locust(plain) == RunConfig.read(users=1, spawn_rate=plain.spawn_rate)
    else config_from_locust(plain))
"""


def test_in_locusts_real_parser() -> None:
    """In a process of its own: importing Locust changes how the standard library waits."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OCC_", "LOCUST_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", REAL_PARSER],
        capture_output=True, text=True, check=False, timeout=60, env=clean | {"COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *shown, same, default = done.stdout.splitlines()
    assert (same, default) == ("SAME", "DEFAULT")
    text = " ".join(" ".join(shown).split())
    for option in options_of(RunConfig):
        if not option.own_by_locust:
            assert f"--occ-{option.name.replace('_', '-')}" in text


def help_of(command: str) -> str:
    shown = CliRunner().invoke(app, [command, "--help"], terminal_width=400, env={"COLUMNS": "400"})
    assert shown.exit_code == 0
    return re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", shown.output)


@pytest.mark.parametrize(
    ("command", "model"), [("run", RunConfig), ("ui", RunConfig), ("seed", SeedConfig)]
)
def test_every_option_is_in_the_help_with_its_default(
    command: str, model: type[RunConfig] | type[SeedConfig]
) -> None:
    text = " ".join(help_of(command).split())
    for option in options_of(model):
        assert re.search(rf"{option.flag}\b", text), option.flag
        assert option.help.split(":")[0].replace("`", "")[:25] in text.replace("`", "")
        if not option.is_flag and option.default:
            assert f"Default: {option.default}." in text, option.flag
    assert "Example" in text


@pytest.mark.parametrize("model", [RunConfig, SeedConfig])
def test_every_option_has_words_and_an_example(model: type[RunConfig] | type[SeedConfig]) -> None:
    for option in options_of(model):
        assert option.help[0].isupper()
        assert option.help.endswith(".") or "://" in option.help, option.help
        assert option.example or option.is_flag


def test_defaults_are_what_they_say() -> None:
    typed = {
        option.name: [option.text] if option.is_multiple else option.text
        for option in options_of(RunConfig)
        if option.text
    }
    assert RunConfig.read(**typed) == RunConfig.read()


def test_a_run_time_that_is_all_warm_up_is_refused() -> None:
    options = Namespace(num_users=1, spawn_rate=None, run_time=5, occ_warmup="5s")
    with pytest.raises(InputError, match="leaves nothing after a warm-up of 5 s"):
        config_from_locust(options)


@given(st.floats(0.001, 1000), st.floats(0, 100))
def test_locust_is_given_whole_seconds(duration: float, warmup: float) -> None:
    """It reads no others; the page's run is never shorter than asked."""
    arguments = locust_arguments(RunConfig.read(duration=duration, warmup=warmup))
    said = re.fullmatch(r"(\d+)s", arguments[arguments.index("--run-time") + 1])
    assert said
    assert duration + warmup <= int(said[1]) < duration + warmup + 1


def test_a_skew_is_checked_where_it_is_declared() -> None:
    assert parse_skew(RunConfig.read(skew="zipf:1.1").skew).values == (1.1,)
    assert Path(RunConfig.model_fields["out"].default) == Path("results")


COMPLAINTS = """
import sys
from locust import events
from loadtest.locust.arguments import add_locust_arguments, keep_secrets
events.init_command_line_parser.add_listener(add_locust_arguments)
events.init_command_line_parser.add_listener(keep_secrets)
from locust.argument_parser import get_parser
for text in open("settings").read().split("---"):
    words, _, file = text.partition("|")
    open("locust.conf", "w").write(file)
    parser = get_parser()
    try:
        parser.parse_args(words.split())
        print("not refused", file=sys.stderr)
    except SystemExit:
        pass
"""
SETTINGS = (
    "|occ-targt = postgresql://u:hunter2@h/d",
    "|occ-targt = host=h password=hunter2",
    "|occ-retry = postgresql://u:hunter2@h/d",
    "--occ-targt=postgresql://u:hunter2@h/d|",
    "--occ-retry postgresql://u:hunter2@h/d|",
    "--processes=postgresql://u:hunter2@h/d|",
    "--occ-targt Server=h;Password=hunter2|",
)


def test_locusts_parser_does_not_quote_a_target(tmp_path: Path) -> None:
    """From locust.conf as little as from the command line."""
    (tmp_path / "settings").write_text("---".join(SETTINGS))
    done = subprocess.run(
        [sys.executable, "-c", COMPLAINTS],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stderr.count("error: ") == len(SETTINGS)
    assert "unrecognized arguments: --occ-targt" in done.stderr
    assert "not refused" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout
