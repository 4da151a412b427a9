"""What a measured point found, in a few words: for the progress of a sweep."""

import json
from pathlib import Path

from reports.analysis.shares import FELT


def figures_of_point(folder: Path) -> str:
    """What a run with a report measured, in a few words: throughput, conflict rate, p99."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    overall = summary["overall"]
    parts = [f"{overall['throughput_tps']:,.0f} transactions/s"]
    if (conflict_rate := overall.get("conflict_rate")) is not None:
        parts.append(f"{100 * conflict_rate:.3g} % conflicts")
    if (p99 := overall.get("latency_ms", {}).get("p99")) is not None:
        parts.append(f"p99 {p99:,.3g} ms" if p99 < 100 else f"p99 {p99:,.0f} ms")
    ended = overall.get("transactions") or 0
    lost = 1 - overall.get("counted", ended) / ended if ended else 0.0
    if lost >= FELT:
        parts.append(f"{100 * lost:.3g} % FAILED or refused")
    if summary["invariant"]["holds"] is False:
        parts.append("the invariant is BROKEN")
    return ", ".join(parts)
