"""The answer in words: the sentence patterns that every kind of report has for what it found."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.analysis.figures import Figures
from reports.analysis.shares import FELT
from reports.statistics.certainty import (
    conflict_rate,
    one_rounding,
    percentile,
    share_error,
    throughput,
)
from reports.text.rounding import about, percent

MOST_NAMED = 3
"""Runs, or targets, that a headline names one by one; of more it gives the range."""
FATES: dict[str, Callable[[Figures], int]] = {
    "failed": lambda f: f.failed,
    "were refused": lambda f: f.refused,
    "gave up": lambda f: f.give_ups,
}
"""What transactions can do but commit: in words, and how many did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline, the few sentences under it, and lines that must not be overlooked."""

    headline: str
    lede: str
    attention: tuple[str, ...] = ()


def sentences(*texts: str) -> str:
    """Those that are not empty, with a space between."""
    return " ".join(text for text in texts if text)


def low_to_high(
    figures: Iterable[Figures],
    value: Callable[[Figures], float | None],
    text: Callable[[Figures], str],
) -> str:
    """`2 % to 5 %`, one value where all say the same, nothing where none is known."""
    known = [(number, text(f)) for f in figures if (number := value(f)) is not None]
    if not known:
        return ""
    low, high = min(known)[1], max(known)[1]
    return low if low == high else f"{low} to {high}"


def measured(figures: Sequence[Figures]) -> str:
    """`5 % to 6 % of attempts conflicted at 450 to 470 transactions a second, p99 80 ms`: from the
    lowest to the highest of these slices.
    """
    rate = low_to_high(figures, lambda f: f.conflict_rate, conflict_rate)
    speed = low_to_high(figures, lambda f: f.throughput_tps, throughput)
    return _sentence(figures, rate, speed, low_to_high(figures, lambda f: f.latency.p99, _p99))


def each(slices: Mapping[str, Figures]) -> str:
    """`int: 5 % of attempts conflicted at …; uuid: …`, with what did not commit of each."""
    figures = list(slices.values())
    texts = (one_rounding([text(f) for f in figures]) for text in (conflict_rate, throughput, _p99))
    parts = (
        f"{name}: {', '.join([_sentence([f], *shown), *lost([f])])}"
        for name, f, *shown in zip(slices, figures, *texts, strict=True)
    )
    return "; ".join(parts)


def _p99(f: Figures) -> str:
    return percentile(f.latency, "p99") if f.latency.p99 is not None else ""


def _sentence(figures: Sequence[Figures], rate: str, speed: str, tail: str) -> str:
    if not any(f.committed for f in figures):
        return "nothing was committed"
    text = f"{rate} of attempts conflicted"
    if any(f.remote and f.remote.retry_rate for f in figures):
        # What a function tried again by itself, its caller never saw.
        retried = low_to_high(figures, _retried_inside, lambda f: percent(_retried_inside(f)))
        inside = f"the function tried again in {retried} of calls"
        outside = any(f.conflicts for f in figures)
        text = f"{inside}, and {text} for its caller," if outside else inside
    return f"{text} at {speed} transactions a second{f', p99 {tail}' if tail else ''}"


def _retried_inside(f: Figures) -> float | None:
    return f.remote.retry_rate if f.remote else None


def lost(figures: Iterable[Figures], fates: Iterable[str] = FATES) -> list[str]:
    """`2 % to 5 % of transactions gave up`, of each fate that is worth a word in some slice."""
    known = [f for f in figures if f.transactions]
    return [text for fate in fates if (text := _lost(known, FATES[fate], fate))]


def _lost(figures: Sequence[Figures], count: Callable[[Figures], int], fate: str) -> str:
    def share(f: Figures) -> float:
        return count(f) / f.transactions

    if not any(f.committed for f in figures) or all(share(f) < FELT for f in figures):
        return ""
    text = low_to_high(figures, share, lambda f: about(share(f), share_error(count(f), f.transactions)))
    return f"{text} of transactions {fate}"
