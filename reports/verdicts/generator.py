"""Whether the tool itself was the limit."""

import math
from dataclasses import dataclass

from reports.statistics.model import Model
from reports.text.rounding import about, milliseconds
from reports.verdicts.rule import Case, where

CPU_NEAR_FULL = 0.9
"""Share of a core above which a generator process has nothing left to give."""
LAG_SHARE = 0.25
"""Event-loop lag, as a share of the latency of the same percentile, that figures cannot carry."""
LAG_FELT_MS = 1.0
"""Lag below this is never the point."""


@dataclass(frozen=True, slots=True)
class GeneratorCheck:
    """Whether the tool itself was the limit; None where the run did not say."""

    was_limit: bool | None
    cpu_share: float | None
    lag_ms: float | None
    """The 99th percentile."""
    reasons: tuple[str, ...] = ()
    tail_share: float | None = None
    """The lag's 99th percentile as a share of the latency's, or of the highest that is known."""


def generator_check(model: Model) -> GeneratorCheck:
    """Judge the generator processes by their share of a core and their event loop's lag.

    The lag is part of every latency. At the median it means that the tool was the limit; only in the
    tail, where all processes of a shared machine wait for a processor, it is a note and no more.
    """
    generators = model.run.generators
    shares = [g.cpu_share for g in generators if g.cpu_share is not None]
    halves = [g.loop_lag_ms.p50 for g in generators if g.loop_lag_ms.p50 is not None]
    tails = [g.loop_lag_ms.p99 for g in generators if g.loop_lag_ms.p99 is not None]
    if not shares and not tails:
        return GeneratorCheck(None, None, None)
    share, half, tail = (max(values, default=None) for values in (shares, halves, tails))
    reasons = []
    if share is not None and share >= CPU_NEAR_FULL:
        reasons.append(f"its busiest process used {about(share)} of a core")
    # Lag is the same for every target, and felt most where the least time is measured.
    latency = min((f.latency for f in model.targets.values()), key=lambda d: d.p50 or math.inf)
    if half is not None and latency.p50 and half >= LAG_FELT_MS and half > LAG_SHARE * latency.p50:
        reasons.append(
            f"its event loop ran late by {milliseconds(half)}, against a latency of "
            f"{milliseconds(latency.p50)} (medians)"
        )
    # A short run has no p99; its lag must not go unsaid for that.
    slow = latency.p99 or latency.p95 or latency.p90 or latency.p50
    tail_share = tail / slow if tail is not None and slow and tail >= LAG_FELT_MS else None
    return GeneratorCheck(bool(reasons), share, tail, tuple(reasons), tail_share)


def generator(model: Model) -> list[Case]:
    """What the tool's own part in the latencies is; nothing of a simulation."""
    check = generator_check(model)
    facts = []
    if check.cpu_share is not None:
        facts.append(f"its busiest process used {about(check.cpu_share)} of a core")
    if check.lag_ms is not None:
        facts.append(f"its event loop ran at most {milliseconds(check.lag_ms)} late (p99)")
    felt = check.tail_share is not None and check.tail_share > LAG_SHARE
    return where(
        not model.run.simulated,
        "unknown"
        if check.was_limit is None
        else "limit"
        if check.was_limit
        else "felt"
        if felt
        else "free",
        reasons=" and ".join(check.reasons),
        facts=", ".join(facts),
        share=about(check.tail_share or 0.0),
    )
