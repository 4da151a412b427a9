"""The program started by itself: the same program, whatever lies in the current folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from loadtest.own_process import occbench_command
from tests.commands import REPOSITORY

STRANGERS = ("seed", "loadtest", "reports", "typer")


@pytest.mark.parametrize("installed", [True, False])
def test_modules_of_the_current_folder_are_not_ours(tmp_path: Path, installed: bool) -> None:
    for name in STRANGERS:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger')")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = occbench_command("list", "retries")
    if not installed:
        # A plain checkout, elsewhere: its own modules, not those that are installed.
        checkout = tmp_path / "checkout"
        for name in ("loadtest", "reports", "seed"):
            shutil.copytree(REPOSITORY / name, checkout / name)
        (checkout / "loadtest" / "cli.py").write_text("def main(): print('of the checkout')")
        command[command.index(str(REPOSITORY))] = str(checkout)
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert ("of the checkout" in done.stdout) is not installed
    assert installed == ("full-jitter" in done.stdout)
