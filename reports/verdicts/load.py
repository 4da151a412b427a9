"""Whether the load was what was asked for: generator, schedule and users."""

import math
from dataclasses import dataclass

from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.text.rounding import about, count, milliseconds, number, plural, seconds
from reports.verdicts.rule import Case, where

CPU_NEAR_FULL = 0.9
"""Share of a core above which a generator process has nothing left to give."""
LAG_SHARE = 0.25
"""Event-loop lag, as a share of the latency of the same percentile, that figures cannot carry."""
LAG_FELT_MS = 1.0
"""Lag below this is never the point."""
LATE_LIMIT = 0.01
"""Share of an open loop's transactions that may start late before its rate counts as not kept."""
_FLATTERED = 1.1
"""Ratio of the p99 of even arrivals to that of the loop, below which it is not worth a figure."""
_TURNS = 2
"""Transactions a user from which on each had its turn, whatever the schedule or the think times."""


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
    share, half, tail = (
        max((one for one in values if one is not None), default=None)
        for values in (
            [g.cpu_share for g in generators],
            [g.loop_lag_ms.p50 for g in generators],
            [g.loop_lag_ms.p99 for g in generators],
        )
    )
    if share is None and tail is None:
        return GeneratorCheck(None, None, None)
    reasons = []
    if share is not None and share >= CPU_NEAR_FULL:
        reasons.append(_busiest(share))
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


def _busiest(share: float) -> str:
    return f"its busiest process used {about(share)} of a core"


def generator(model: Model) -> list[Case]:
    """What the tool's own part in the latencies is; nothing of a simulation."""
    check = generator_check(model)
    facts = [] if check.cpu_share is None else [_busiest(check.cpu_share)]
    if check.lag_ms is not None:
        facts.append(f"its event loop ran at most {milliseconds(check.lag_ms)} late (p99)")
    case = "felt" if (check.tail_share or 0.0) > LAG_SHARE else "free"
    if check.was_limit is not False:
        case = "limit" if check.was_limit else "unknown"
    return where(
        not model.run.simulated,
        case,
        reasons=" and ".join(check.reasons),
        facts=", ".join(facts),
        share=about(check.tail_share or 0.0),
    )


def loop(model: Model) -> list[Case]:
    """A closed loop with what it hides, or an open one that kept its rate or did not."""
    if not model.run.open_loop:
        return where(True, "closed", stalls=_stalls(model) if model.overall.committed else "")
    late, scheduled, never = schedule_kept(model)
    facts = f"{counted_share(late, scheduled)} of {count(scheduled)} transactions started late"
    if never:
        facts += f" and {count(never)} could not start at all"
    rate = number(model.run.config.rate)
    return where(True, "kept" if rate_kept(model) else "missed", rate=rate, facts=facts)


def _stalls(model: Model) -> str:
    """What arrivals would have met instead, on the target where it makes the largest difference."""
    ratios = {
        name: 1e3 * omission.p99_s / p99
        for name, omission in model.omissions.items()
        if (p99 := model.targets[name].latency.p99)
    }
    if not ratios:
        return ""
    worst = max(ratios, key=lambda name: ratios[name])
    if ratios[worst] < _FLATTERED:
        return " No stall made it worse here."
    omission, where = model.omissions[worst], f" on {worst}" if len(ratios) > 1 else ""
    return (
        f" Here nothing{where} was answered for {about(omission.share)} of the time, up to "
        f"{seconds(omission.longest_s)} at a stretch: arrivals at an even pace would have met a p99 of "
        f"at least {milliseconds(1e3 * omission.p99_s)} instead of "
        f"{milliseconds(model.targets[worst].latency.p99)}. `--rate` measures it."
    )


def rate_kept(model: Model) -> bool:
    """Whether an open loop kept its rate; a closed one has none to keep."""
    late, scheduled, never = schedule_kept(model)
    return not model.run.open_loop or late + never <= LATE_LIMIT * scheduled


def overloaded(model: Model) -> bool:
    """Whether an open loop could not start all of its transactions: what waits then grows on."""
    _, scheduled, never = schedule_kept(model)
    return model.run.open_loop and never > LATE_LIMIT * scheduled


def schedule_kept(model: Model) -> tuple[int, int, int]:
    """(late, scheduled, never started) transactions of an open loop, all of the measured time."""
    pacing, generators = model.run.pacing, model.run.generators
    due = [g for g in generators if g.scheduled is not None and g.started is not None]
    scheduled = sum(g.scheduled or 0 for g in due)
    never = max(0, scheduled - sum(g.started or 0 for g in due))
    # A run that does not count what started shows only what was late.
    scheduled = scheduled or pacing.scheduled or model.started
    late = pacing.late if pacing.late is not None else model.late_starts
    return min(late, scheduled), max(1, scheduled), never


def other_users(model: Model) -> int | None:
    """How many users committed in the measured time, where it is not as many as were asked for.

    None where it is, where it is not known, and where an open loop or long think times made so few
    transactions that not all users had a turn.
    """
    asked, working = model.run.config.users, model.committed_users
    if asked is None or working is None or working == asked or model.run.simulated:
        return None
    few_turns = model.run.open_loop or model.run.config.think_time
    return None if few_turns and model.overall.transactions < _TURNS * asked else working


def users(model: Model) -> list[Case]:
    """More users than were asked for, or fewer and why, where that is known."""
    working, asked = other_users(model), model.run.config.users or 0
    if working is None:
        return []
    generators = model.run.generators
    unserved = sum(g.without_session or 0 for g in generators)
    why = next((g.why_no_session for g in generators if g.why_no_session), "no answer").rstrip(".")
    return where(
        True,
        "more" if working > asked else "fewer",
        working=count(working),
        asked=plural(asked, "user"),
        rest=f"; {count(unserved)} never had a session ({why})" if unserved else "",
    )
