"""Was the schedule kept, and what do the latencies of a closed loop leave out?"""

from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.text.rounding import about, count, milliseconds, number, seconds
from reports.verdicts.rule import Case, where

LATE_LIMIT = 0.01
"""Share of an open loop's transactions that may start late before its rate counts as not kept."""
_FLATTERED = 1.1
"""Ratio of the p99 of even arrivals to that of the loop, below which it is not worth a figure."""


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
    if not model.run.open_loop:
        return True
    late, scheduled, never = schedule_kept(model)
    return late + never <= LATE_LIMIT * scheduled


def overloaded(model: Model) -> bool:
    """Whether an open loop could not start all of its transactions: what waits then grows on."""
    if not model.run.open_loop:
        return False
    _, scheduled, never = schedule_kept(model)
    return never > LATE_LIMIT * scheduled


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
