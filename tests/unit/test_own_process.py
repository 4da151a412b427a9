"""The program started by itself: the same program, whatever lies in the current folder."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from loadtest.process.child import occbench_command, occbench_with_hidden_words
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
        (checkout / "loadtest" / "cli" / "main.py").write_text("def main(): print('of the checkout')")
        command[command.index(str(REPOSITORY))] = str(checkout)
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert ("of the checkout" in done.stdout) is not installed
    assert installed == ("full-jitter" in done.stdout)


def test_words_that_nobody_is_to_see_are_in_no_list_of_processes(tmp_path: Path) -> None:
    command, words_for_stdin = occbench_with_hidden_words("list", "retries")
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        # A process has no words for a moment after it has begun.
        while not (words := psutil.Process(child.pid).cmdline()):
            time.sleep(0.01)
        listed = " ".join(words)
        said, _ = child.communicate(words_for_stdin, timeout=60)
    assert "full-jitter" in said
    assert "loadtest.cli" in listed
    assert "retries" not in listed
