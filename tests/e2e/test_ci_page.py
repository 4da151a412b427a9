"""docs/ci.md: the workflow that it shows does what it says, step by step, in a fresh copy."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
import yaml  # type: ignore[import-untyped]

from loadtest.cli import application
from loadtest.targets.embedded.server import EmbeddedServer
from tests.commands import REPOSITORY, environment
from tests.conftest import short_folder

PAGE = (REPOSITORY / "docs" / "ci.md").read_text(encoding="utf-8")
SIZES = {
    "ACCOUNTS": "500", "USERS": "4", "WARMUP": "0", "DURATION": "1s",
    "TARGET": "embedded?commit_delay_ms=1",
}  # fmt: skip
NOT_COPIED = shutil.ignore_patterns(
    ".*", "*.egg-info", "__pycache__", "build", "results", "node_modules", "uuids.txt"
)
INSTALL = ["-m", "pip", "install", "--constraint", "constraints.txt", "."]


def workflow() -> dict[str, Any]:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    # YAML 1.1 reads the key `on` as true.
    return {"on" if key is True else str(key): value for key, value in yaml.safe_load(text).items()}


def steps() -> dict[str, dict[str, Any]]:
    """The steps of the only job, by what names them."""
    (job,) = workflow()["jobs"].values()
    found = {step.get("name", step.get("uses")): step for step in job["steps"]}
    assert len(found) == len(job["steps"])
    return found


def test_actions_are_pinned_by_their_major_version() -> None:
    used = [step["uses"] for step in steps().values() if "uses" in step]
    assert len(used) == 5
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+(/[a-z]+)?@v\d+", action), action


def test_every_variable_has_its_place_on_the_page_and_in_a_step() -> None:
    variables = workflow()["env"]
    assert set(variables) == set(SIZES)
    table = set(re.findall(r"`([A-Z]+)`", "".join(re.findall(r"^\| `[A-Z].*$", PAGE, re.MULTILINE))))
    assert set(variables) <= table
    commands = "".join(step.get("run", "") for step in steps().values())
    for name in variables:
        assert f'"${name}"' in commands


def test_only_pull_requests_are_held_against_main_and_a_label_lets_one_through() -> None:
    """Else main would stay red for ever after a change that costs more and was accepted."""
    said = steps()["Measure"]["env"]["AGAINST_MAIN"]
    label = "!contains(github.event.pull_request.labels.*.name, 'contention-accepted')"
    assert said == f"${{{{ github.event_name == 'pull_request' && {label} }}}}"
    assert "labeled" in workflow()["on"]["pull_request"]["types"]
    assert "`contention-accepted`" in PAGE


def test_nothing_is_put_into_a_command_by_the_runner() -> None:
    """What `${{ }}` puts there would be run as it is, whoever wrote it."""
    for step in steps().values():
        assert "${{" not in step.get("run", "")


def test_the_commands_have_the_options_they_are_given() -> None:
    for step in steps().values():
        for name in re.findall(r"occbench (\w+)", step.get("run", "")):
            options = {o for p in application.command(name).params for o in p.opts}
            given = set(re.findall(r"(?<!\S)(--[a-z-]+)", step["run"]))
            assert given <= options, given - options


@dataclass
class Runner:
    """Does the `run:` steps of the page as GitHub's runner would, in a copy of the repository."""

    folder: Path
    programs: Path
    data: Path

    def step(self, name: str, *, pull_request: bool = False) -> subprocess.CompletedProcess[str]:
        env = environment(
            **{**workflow()["env"], **SIZES}, OCCBENCH_DATA=str(self.data),
            AGAINST_MAIN="true" if pull_request else "false",
            GITHUB_STEP_SUMMARY=str(self.programs / "page.md"), PYTHONPATH=str(self.folder),
        )  # fmt: skip
        env["PATH"] = f"{self.programs}{os.pathsep}{env['PATH']}"
        return subprocess.run(
            ["bash", "-e", "-c", steps()[name]["run"]],
            cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip

    def well(self, *names: str) -> None:
        for name in names:
            done = self.step(name)
            assert done.returncode == 0, (name, done.stdout, done.stderr)

    def cases(self) -> dict[str, bool]:
        """Each gate → whether it held."""
        root = Xml.fromstring((self.folder / "results/gates.xml").read_text())  # noqa: S314 - our own
        return {str(case.get("name")): case.find("failure") is None for case in root.iter("testcase")}

    @property
    def page(self) -> str:
        return (self.programs / "page.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    folder = tmp_path_factory.mktemp("ci") / "clone"
    shutil.copytree(REPOSITORY, folder, ignore=NOT_COPIED)
    programs = folder.parent / "bin"
    programs.mkdir()
    # Everything is installed already but the copy itself, which is used where it lies: `pip install`
    # is noted, the rest is Python's own.
    python = (
        f'#!/bin/bash\n[ "$2" = pip ] || exec {sys.executable} "$@"\n'
        f"printf '%s\\n' \"$@\" > '{programs}/installed'\n"
    )
    occbench = f'#!/bin/bash\nexec {sys.executable} -m loadtest.cli "$@"\n'
    for name, text in (("python", python), ("occbench", occbench)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    with short_folder() as short:
        try:
            yield Runner(folder, programs, short / "data")
        finally:
            EmbeddedServer(short / "data").stop()


def test_a_push_to_main_then_a_pull_request_that_is_worse(runner: Runner) -> None:
    runner.well("Install", "Seed")
    assert (runner.programs / "installed").read_text().split() == INSTALL
    assert (runner.folder / "constraints.txt").is_file()

    first = runner.step("Measure")
    cases = runner.cases()
    assert len(cases) == 5, "four gates and the invariant"
    # On a crowded machine a second may be too short for a p99; everything else holds for certain.
    assert {name for name, held in cases.items() if not held} <= {"p99 > 1s (uuid)"}
    assert first.returncode == (0 if all(cases.values()) else 1), first.stderr
    runner.well("Show the result on the job's page", "Make this main's last run")
    assert "### Gates: " in runner.page
    assert list((runner.folder / "results").glob("*-contention/report.html"))

    # Main's run was so much better that a pull request can only be worse.
    base = runner.folder / "base" / "summary.json"
    summary = json.loads(base.read_text())
    summary["key_types"]["uuid"].update(throughput_tps=10**9, conflict_rate=1.0)
    base.write_text(json.dumps(summary))
    shutil.rmtree(runner.folder / "results")
    # On main a change that was accepted is judged by the fixed limits alone, and becomes the base.
    accepted = runner.step("Measure")
    assert set(runner.cases()) == set(cases)
    assert accepted.returncode == (0 if all(runner.cases().values()) else 1), accepted.stderr
    shutil.rmtree(runner.folder / "results")
    second = runner.step("Measure", pull_request=True)
    assert second.returncode == 1, second.stderr
    cases = runner.cases()
    assert len(cases) == 7
    assert cases["throughput < base - 40% (uuid)"] is False
    assert cases["conflict_rate > base + 20% (uuid)"] is True
    runner.well("Show the result on the job's page")
    assert "`throughput < base - 40%` | uuid" in runner.page
    assert list((runner.folder / "results").glob("*-contention/report.html"))


def test_the_page_is_shown_even_if_nothing_was_measured(runner: Runner) -> None:
    shutil.rmtree(runner.folder / "results", ignore_errors=True)
    runner.well("Show the result on the job's page")
