"""When a target committed nothing, what it cost, and whether the others went on."""

from collections import Counter
from collections.abc import Iterator

from loadtest.record.outcome import Outcome
from reports.analysis.over_time.gaps import Gap
from reports.statistics.model import Model
from reports.text.rounding import THIN, about, plural, seconds
from reports.verdicts.rule import Case

_MOST = 0.1
"""Share of the measured time from which gaps are more than something to know."""

_LOST = {
    Outcome.CONNECT_FAILED: "failed to connect",
    Outcome.CONNECTION_LOST: "lost the connection before COMMIT",
    Outcome.AMBIGUOUS: "ended ambiguous",
}
"""How attempts end where the target cannot be reached."""


def gaps(model: Model) -> Iterator[Case]:
    """Each target's gaps: long ones, or such in which it could not be reached, are bad."""
    by_target: dict[str, list[Gap]] = {}
    for gap in model.gaps:
        by_target.setdefault(gap.target, []).append(gap)
    for mine in by_target.values():
        share = sum(map(_length, mine)) / model.measured_s
        unreachable = any(outcome in gap.failed for gap in mine for outcome in _LOST)
        yield "heavy" if share > _MOST or unreachable else "light", _words(mine, share)


def _words(gaps: list[Gap], share: float) -> dict[str, str]:
    total_s = sum(map(_length, gaps))
    failed: Counter[str] = Counter()
    others: dict[str, float] = {}
    for gap in gaps:
        failed.update(gap.failed)
        for name, rate in gap.others.items():
            others[name] = others.get(name, 0.0) + rate * _length(gap) / total_s
    longest = max(gaps, key=_length)
    until = f"{longest.until_s:,.1f}{THIN}s" if longest.came_back else "the end"
    when = f"from {longest.from_s:,.1f}{THIN}s to {until}"
    if len(gaps) > 1:
        when = f"for {seconds(total_s)}, {len(gaps)} times, the longest {when}"
    cost = [
        f"{plural(failed[outcome], 'attempt')} {_LOST.get(Outcome(outcome), f'ended as {outcome}')}"
        for outcome in sorted(failed, key=lambda outcome: outcome not in _LOST)
    ]
    parts = [", ".join(cost) or "no attempt failed"]
    parts += [f"{name} went on with {about(rate)} of its rate" for name, rate in others.items()]
    return {
        "target": longest.target,
        "did": "committed" if set(failed) - set(_LOST) else "answered",
        "when": when,
        "cost": "; ".join(parts),
        "share": f" That is {about(share)} of the measured time." if share > _MOST else "",
    }


def _length(gap: Gap) -> float:
    return gap.until_s - gap.from_s
