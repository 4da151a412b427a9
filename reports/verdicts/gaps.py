"""When a target committed nothing, what it cost, and whether the others went on."""

from loadtest.record.attempt import Outcome
from reports.analysis.gaps import Gap
from reports.statistics.model import Model
from reports.text.rounding import THIN, about, plural, seconds
from reports.text.verdict import State, Verdict

_MOST = 0.1
"""Share of the measured time from which gaps are more than something to know."""

_LOST = {
    Outcome.CONNECT_FAILED: "{} failed to connect",
    Outcome.CONNECTION_LOST: "{} lost the connection before COMMIT",
    Outcome.AMBIGUOUS: "{} ended ambiguous",
}


def gap_verdicts(model: Model) -> list[Verdict]:
    """One for each target that had gaps."""
    by_target: dict[str, list[Gap]] = {}
    for gap in model.gaps:
        by_target.setdefault(gap.target, []).append(gap)
    return [_verdict(gaps, model.measured_s) for gaps in by_target.values()]


def _verdict(gaps: list[Gap], measured_s: float) -> Verdict:
    lengths = [gap.until_s - gap.from_s for gap in gaps]
    total_s = sum(lengths)
    failed: dict[str, int] = {}
    others: dict[str, float] = {}
    for gap, length_s in zip(gaps, lengths, strict=True):
        for outcome, number in gap.failed.items():
            failed[outcome] = failed.get(outcome, 0) + number
        for name, share in gap.others.items():
            others[name] = others.get(name, 0.0) + share * length_s / total_s
    longest = gaps[lengths.index(max(lengths))]
    when = _when(longest)
    if len(gaps) > 1:
        when = f"for {seconds(total_s)}, {len(gaps)} times, the longest {when}"
    known = [*_LOST, *(o for o in failed if o not in _LOST)]
    cost = [
        _LOST.get(Outcome(o), f"{{}} ended as {o}").format(plural(failed[o], "attempt"))
        for o in known
        if o in failed
    ]
    did = "committed" if set(failed) - set(_LOST) else "answered"
    parts = [f"{longest.target} {did} nothing {when}: {', '.join(cost) or 'no attempt failed'}"]
    parts += [f"{name} went on with {about(share)} of its rate" for name, share in others.items()]
    text = f"{'; '.join(parts)}."
    share = total_s / measured_s
    if share > _MOST:
        text += f" That is {about(share)} of the measured time."
    bad = share > _MOST or any(outcome in failed for outcome in _LOST)
    state: State = "bad" if bad else "note"
    return Verdict("gap", state, text)


def _when(gap: Gap) -> str:
    return f"from {_at(gap.from_s)} to {_at(gap.until_s) if gap.came_back else 'the end'}"


def _at(moment_s: float) -> str:
    """A moment of the run, to a tenth of a second."""
    return f"{moment_s:,.1f}{THIN}s"
