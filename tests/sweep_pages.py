"""Made-up sweeps, their pages and summaries."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports.sweep import write_sweep_report
from tests.pages import Page
from tests.sweep_folders import FakeSweep, write_fake_sweep

CURVES = ("throughput_tps", "cost", "conflict_rate", "retry_rate", "p50_ms", "p99_ms")
USERS = (1, 2, 4, 8, 16, 32, 64, 128)


def made(folder: Path, **changes: Any) -> Path:
    return write_fake_sweep(folder / "sweep", FakeSweep(**changes))


def page_of(folder: Path) -> Page:
    return Page(write_sweep_report(folder).read_text(encoding="utf-8"))


def summary_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "sweep-summary.json").read_text(encoding="utf-8")))


def rewritten(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """Each point's summary, changed by what is called with the point and the summary."""
    for point in json.loads((folder / "sweep.json").read_text())["points"]:
        path = folder / point["folder"] / "summary.json"
        summary = json.loads(path.read_text())
        change(point, summary)
        path.write_text(json.dumps(summary))
    return folder
