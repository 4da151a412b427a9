"""A run's folder: `results/<time>-<label>/` with `run.json` and the attempts."""

import os
import platform
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from loadtest.errors import InputError
from loadtest.record.run import Machine

_PACKAGES = ("occbench", "locust", "gevent", "psycopg", "numpy", "pyarrow")


def create(results: Path, label: str, now: datetime, holds: str = "attempts") -> Path:
    """Make a new folder for a run, with an empty folder `holds` in it.

    Raises InputError where that cannot be done.
    """
    stamp = now.strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        suffix = f"-{attempt + 1}" if attempt else ""
        folder = results / f"{stamp}-{label}{suffix}"
        try:
            (folder / holds).mkdir(parents=True)
        except FileExistsError:
            if not folder.is_dir():
                break
            continue
        except OSError as error:
            raise InputError(
                f"no folder can be made in {results}: {error.strerror}; give another with --out"
            ) from None
        return folder
    raise InputError(f"no folder can be made in {results}; give another with --out")


def missing_files(folder: Path, written: Mapping[str, int]) -> dict[str, int]:
    """The files of attempts that were written and are not in the run's folder.

    Both are names with the numbers of their rows.
    """
    return {
        name: rows
        for name, rows in sorted(written.items())
        if not (folder / "attempts" / name).is_file()
    }


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def machine() -> Machine:
    """Return the machine that generates the load."""
    return Machine(
        cpus=os.cpu_count(),
        model=_processor(),
        memory_gb=round(psutil.virtual_memory().total / 2**30, 1),
        system=f"{platform.system()} {platform.release()}",
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
