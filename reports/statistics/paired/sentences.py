"""Comparisons of key types, or of targets, in sentences."""

import math

from reports.statistics import certainty
from reports.statistics.model import Model
from reports.statistics.paired.blocks import MIN_PAIRS, TOO_FEW_PAIRS, Comparison, Ratio
from reports.text.rounding import THIN, about, capital, listed, plural, seconds

_PHRASES = {
    "throughput_tps": "throughput",
    "conflict_rate": "conflict rate",
    "latency_p50_ms": "median latency",
    "latency_p99_ms": "p99 latency",
}


def _tests(comparisons: list[Comparison]) -> int:
    """How many ratios are judged together."""
    return sum(r.judged for c in comparisons for r in c.ratios)


def one_comparison(c: Comparison, subject: str = "{} keys instead of {}", tests: int = 1) -> str:
    """What differs and what does not, in a sentence or two.

    Args:
        c: the comparison.
        subject: takes the two names.
        tests: how many ratios are judged together, in this comparison and those beside it. What
            differs only by itself is said to be what chance alone may show.
    """
    named = subject.format(c.other, c.base)
    if c.target is not None:
        named = f"On {c.target}, {named}"
    judged = [r for r in c.ratios if r.judged]
    apart = (
        f"{capital(listed([one.said for one in c.apart]))} ({c.base} and {c.other}). "
        if c.apart
        else ""
    )
    if c.apart and not judged:
        return f"{apart}{named}: not comparable."
    if not judged:
        return f"{named}: {_unknown(c)}."
    named = f"{apart}{named}"
    order = list(_PHRASES)
    judged.sort(key=lambda r: order.index(r.metric))
    different = [r for r in judged if c.differs_among(r, tests)]
    alone = [r for r in judged if r.differs and r not in different]
    same = [_PHRASES[r.metric] for r in judged if r not in different]
    if not different:
        said = "no difference shown"
        # What could not be compared is not among what was found alike.
        if len(same) < len(c.ratios):
            said += f" in {listed(same)}"
        text = f"{named}: {said}."
    else:
        text = f"{named}: {listed(_phrases(different))}."
        if same:
            text += f" No difference shown in {listed(same)}."
    if alone:
        said = capital(listed([_phrase(r) for r in alone]))
        text += f" ({said}: no more than chance may show in one of {tests} figures.)"
    return text


def meaning(c: Comparison, tests: int = 1, *, simulated: bool = False) -> str:
    """What the comparison of two key types tells someone who has to choose, and how sure it is.

    Empty where there is no interval to tell by, and where something differs for which the record shows
    no cause. `tests` is as for `one_comparison`.
    """
    if not c.of("throughput_tps").judged:
        return ""
    judged = [r for r in c.ratios if r.judged]
    if any(r.differs for r in judged):
        return "" if simulated else _cause(c, tests)
    known = {r.metric: r for r in judged}
    ends = [f"{_missed(known[metric])} in {_PHRASES[metric]}" for metric in _PHRASES if metric in known]
    return f"Ruled out (95{THIN}% each): a difference larger than {listed(ends)}."


def _cause(c: Comparison, tests: int) -> str:
    """Why more attempts conflicted with one key type, where the figures that are the cause show it.

    The accounts are the same; what is left is the time that transactions are open, and how many run.
    """
    conflicts = c.of("conflict_rate")
    if not c.differs_among(conflicts, tests):
        return ""
    more = (conflicts.ratio or 1.0) > 1
    causes = {"latency_p50_ms": "they took longer", "throughput_tps": "more of them ran"}
    shown = [
        text
        for metric, text in causes.items()
        if c.differs_among(c.of(metric), tests) and ((c.of(metric).ratio or 1.0) > 1) == more
    ]
    if not shown:
        return ""
    return (
        "Both met the same accounts in the same order: transactions on "
        f"{c.other if more else c.base} keys conflicted more because {' and '.join(shown)}."
    )


def _most_missed(ratio: Ratio) -> float:
    """How large a difference the interval still holds, as a share."""
    return max(abs((ratio.low or 1.0) - 1), abs((ratio.high or 1.0) - 1))


def _missed(ratio: Ratio) -> str:
    return about(_most_missed(ratio))


def _unknown(c: Comparison) -> str:
    """Why two cannot be told apart, and what would help."""
    if all(r.verdict != TOO_FEW_PAIRS for r in c.ratios):
        return "too few transactions to tell them apart"
    needed = seconds(math.ceil(MIN_PAIRS * c.pair_s))
    if not c.in_blocks:
        return f"too short to tell them apart; measure for at least {needed}"
    return (
        f"{plural(c.pairs, 'pair')} of blocks {'is' if c.pairs == 1 else 'are'} too few for an "
        f"interval; measure for at least {needed}, or use a shorter --block"
    )


def _phrase(ratio: Ratio) -> str:
    name = _PHRASES[ratio.metric]
    value = ratio.ratio or 1.0
    if value >= 2:
        return f"{name} {certainty.times(ratio)} times as high"
    return f"{name} {certainty.change(ratio)} {'higher' if value > 1 else 'lower'}"


def _phrases(different: list[Ratio]) -> list[str]:
    """Each difference in a few words; two latencies that moved the same way share a phrase."""
    found = {r.metric: r for r in different}
    median, tail = found.get("latency_p50_ms"), found.get("latency_p99_ms")
    phrases = [_phrase(r) for r in different]
    if median and tail and median.ratio and tail.ratio:
        changes = median.ratio - 1, tail.ratio - 1
        if changes[0] * changes[1] > 0 and max(median.ratio, tail.ratio) < 2:
            way = "higher" if changes[0] > 0 else "lower"
            phrases[-2:] = [f"latency {certainty.change(median)} {way} (p99 {certainty.change(tail)})"]
    return phrases


def between_targets(model: Model) -> str:
    """Every target against the first."""
    if model.regions is None:
        return ""
    found = model.regions.comparisons
    return " ".join(one_comparison(c, "{} compared with {}", _tests(found)) for c in found)
