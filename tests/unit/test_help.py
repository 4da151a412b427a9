"""What `--help` shows, and what it does without."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from loadtest.cli.application import _COMMANDS, app
from tests.commands import REPOSITORY, environment

_HEAVY = [
    "boto3", "gevent", "jinja2", "locust", "matplotlib", "numba", "numpy", "pandas", "psycopg",
    "pyarrow", "rich", "scipy",
]  # fmt: skip


@pytest.mark.parametrize("name", _COMMANDS)
def test_the_line_of_a_command_is_the_first_of_its_own_help(name: str) -> None:
    help_text = typer.main.get_group(app).commands[name].help
    assert help_text is not None
    assert " ".join(help_text.split("\n\n")[0].split()) == _COMMANDS[name][1]


def test_help_lists_every_command_with_its_line() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "400"}, terminal_width=400).output
    for name, (_, line) in _COMMANDS.items():
        assert any(name in row and line in row for row in shown.splitlines()), name


@pytest.mark.parametrize("words", [[], ["db"], ["cluster"]])
def test_no_line_of_the_list_of_commands_is_cut_at_eighty_columns(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "80"}, terminal_width=80).output
    lines = shown.partition("Commands:")[2].splitlines()
    assert lines
    assert not [line for line in lines if line.endswith("...")]


def test_examples_are_lines_that_can_be_pasted() -> None:
    shown = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "80"}, terminal_width=80).output
    assert "  occbench run --users 64 --duration 2m\n" in shown
    assert "`" not in shown


def test_help_imports_nothing_that_takes_long_to_import() -> None:
    every = [[], *([name] for name in _COMMANDS), ["db", "start"], ["cluster", "create"]]
    script = (
        "import sys\n"
        "from loadtest.cli.application import app\n"
        f"for words in {every}:\n"
        "    app([*words, '--help'], standalone_mode=False)\n"
        f"print(*sorted(set({_HEAVY}) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr.strip() == ""


def test_help_of_all_commands_imports_none_of_them() -> None:
    script = (
        "import sys\n"
        "from loadtest.cli.application import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print(*(n for n in sys.modules if n.startswith('loadtest.cli.commands.')), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr.strip() == ""


def test_list_alone_lists_everything() -> None:
    runner = CliRunner()
    whole = runner.invoke(app, ["list"])
    assert whole.exit_code == 0
    for kind in ("scenarios", "targets", "retries"):
        assert f"{kind}:" in whole.output.splitlines()
        for line in runner.invoke(app, ["list", kind]).output.splitlines():
            assert f"  {line}" in whole.output.splitlines()
