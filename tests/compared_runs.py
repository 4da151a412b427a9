"""Runs to compare, and `occbench compare` on them."""

import json
import shutil
from pathlib import Path
from typing import Any

from tests.commands import Done
from tests.drifting import Drifting, write_drifting
from tests.in_process import occbench

SHORT = {"duration_s": 6.0, "drift": 0.01, "between": 0.003}


def write_compared(folder: Path) -> dict[str, Path]:
    """Two runs of the same thing, and a third that is a quarter slower."""
    return {
        name: write_drifting(folder / name, Drifting(seed=seed, slower=slower, **SHORT))  # type: ignore[arg-type]
        for name, seed, slower in (("base", 1, 1.0), ("again", 2, 1.0), ("slower", 3, 1.25))
    }


def changed(folder: Path, to: Path, config: dict[str, Any] | None = None, **run: Any) -> Path:
    """A copy of a run whose `run.json` says something else."""
    shutil.copytree(folder, to)
    path = to / "run.json"
    content = json.loads(path.read_text())
    content |= run
    content["config"] |= config or {}
    path.write_text(json.dumps(content))
    return to


def compare(*args: object, cwd: Path) -> Done:
    """What `occbench compare` prints, and its status."""
    return occbench("compare", *args, cwd=cwd)
