"""Was the schedule kept, and what do the latencies of a closed loop leave out?"""

from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.text.rounding import about, count, milliseconds, number, seconds
from reports.text.verdict import Verdict

LATE_LIMIT = 0.01
"""Share of an open loop's transactions that may start late before its rate counts as not kept."""
_FLATTERED = 1.1
"""Ratio of the p99 of even arrivals to that of the loop, below which it is not worth a figure."""


def _held_back(model: Model) -> str:
    """What arrivals would have met instead, on the target where it makes the largest difference."""
    found = []
    for name, omission in model.omissions.items():
        p99 = model.targets[name].latency.p99
        if p99:
            found.append((1e3 * omission.p99_s / p99, p99, name, omission))
    if not found:
        return ""
    ratio, p99, name, omission = max(found, key=lambda entry: entry[0])
    where = f" on {name}" if len(found) > 1 else ""
    if ratio < _FLATTERED:
        return (
            " No stall made it worse here; what queues of independent arrivals would add is not in "
            "this figure."
        )
    return (
        f" Here nothing{where} was answered for {about(omission.share)} of the time, "
        f"up to {seconds(omission.longest_s)} at a stretch: arrivals at an even pace would have met a "
        f"p99 of at least {milliseconds(1e3 * omission.p99_s)} instead of {milliseconds(p99)}. "
        "`--rate` measures it."
    )


def pacing_verdict(model: Model) -> Verdict:
    """Of an open loop whether it kept its rate; of a closed one what its latencies leave out."""
    run = model.run
    if not run.open_loop:
        return Verdict(
            "loop",
            "note",
            "Closed loop: a user starts its next transaction when the last has ended, so slow "
            "times hold fewer samples and latencies look better than arrivals at a fixed rate "
            f"would see.{_held_back(model) if model.overall.committed else ''}",
        )
    rate = f"{number(run.config.rate)} transactions a second"
    late, scheduled, never = schedule_kept(model)
    facts = [f"{counted_share(late, scheduled)} of {count(scheduled)} transactions started late"]
    if never:
        facts.append(f"{count(never)} could not start at all")
    kept = rate_kept(model)
    return Verdict(
        "loop",
        "good" if kept else "bad",
        f"The open loop {'kept' if kept else 'did not keep'} its {rate}: {' and '.join(facts)}. "
        "Latency counts from the intended start, so it holds any wait for a free user.",
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
