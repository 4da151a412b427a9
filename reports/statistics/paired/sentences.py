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


def between_key_types(model: Model) -> str:
    """Every key type against the first, on each target."""
    return " ".join(one_comparison(c) for c in model.comparisons)


def between_targets(model: Model) -> str:
    """Every target against the first."""
    comparisons = model.regions.comparisons if model.regions is not None else []
    return " ".join(one_comparison(c, "{} compared with {}") for c in comparisons)


def one_comparison(c: Comparison, subject: str = "{} keys instead of {}") -> str:
    """What differs and what does not, in a sentence or two; `subject` takes the two names."""
    named = subject.format(c.other, c.base)
    if c.target is not None:
        named = f"On {c.target}, {named}"
    if c.apart:
        apart = capital(listed([one.text for one in c.apart]))
        named = f"{apart} ({c.base} and {c.other}). {named}"
    judged = [r for metric in _PHRASES for r in c.ratios if r.metric == metric and r.judged]
    if not judged:
        return f"{named}: {'not comparable' if c.apart else _unknown(c)}."
    differ = [r for r in judged if r.differs]
    # What could not be compared is not among what is alike.
    alike = listed([_PHRASES[r.metric] for r in judged if not r.differs] or [""])
    if differ:
        rest = f" No difference shown in {alike}." if alike else ""
        return f"{named}: {listed([_phrase(r) for r in differ])}.{rest}"
    return f"{named}: no difference shown{f' in {alike}' if len(judged) < len(c.ratios) else ''}."


def meaning(c: Comparison, *, simulated: bool = False) -> str:
    """What the comparison of two key types tells the one who has to choose, and how sure it is.

    Empty where there is no interval to tell by, and where something differs for which the record shows
    no cause.
    """
    judged = {m: r for m in _PHRASES for r in c.ratios if r.metric == m and r.judged}
    if "throughput_tps" not in judged:
        return ""
    if any(r.differs for r in judged.values()):
        return "" if simulated else _cause(c)
    widest = {
        metric: max(abs((end or 1.0) - 1) for end in (r.low, r.high)) for metric, r in judged.items()
    }
    ends = listed([f"{about(missed)} in {_PHRASES[metric]}" for metric, missed in widest.items()])
    return f"Ruled out (95{THIN}%): a difference larger than {ends}."


def _cause(c: Comparison) -> str:
    """Why more attempts conflicted with one key type, where the figures that are the cause show it.

    The accounts are the same; what is left is the time that transactions are open, and how many run.
    """
    conflicts = c.of("conflict_rate")
    if not conflicts.differs:
        return ""
    more = (conflicts.ratio or 1.0) > 1
    causes = {"latency_p50_ms": "they took longer", "throughput_tps": "more of them ran"}
    shown = [
        text
        for metric, text in causes.items()
        if c.of(metric).differs and ((c.of(metric).ratio or 1.0) > 1) == more
    ]
    if not shown:
        return ""
    return (
        "Both met the same accounts in the same order: transactions on "
        f"{c.other if more else c.base} keys conflicted more because {' and '.join(shown)}."
    )


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
    name, value = _PHRASES[ratio.metric], ratio.ratio or 1.0
    if value >= 2:
        return f"{name} {certainty.times(ratio)} times as high"
    return f"{name} {certainty.change(ratio)} {'higher' if value > 1 else 'lower'}"
