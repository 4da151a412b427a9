"""Key types, or targets, compared over pairs of blocks, with a bootstrap interval.

Two key types' blocks of a pair ran one after the other in random order, two targets were measured
side by side in one block: whatever drifts slowly falls on both. Pairs, not attempts, are drawn
again: attempts within a block are not independent.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports.analysis import percentiles
from reports.analysis.over_time.blocks import Blocks
from reports.analysis.reading.attempts import Attempts
from reports.analysis.shares import FELT, Z95
from reports.statistics.intervals import Floats, quantile_bins, redraw, student_t
from reports.statistics.paired.sides import LOST, PERCENTILES, Side, Table
from reports.text.rounding import about

_MOST_PAIRS = 200
"""Of targets: more blocks than these are taken together, for each holds a histogram."""
_PIECES, _PIECE_S = 10, 0.5
"""Where nothing alternates, the measured time has so many pieces for targets to be compared in, each
of at least so many seconds, whatever its blocks are."""
_ROUNDING = 1e-6
"""A piece that is short by so little is whole."""
MIN_PAIRS = 5
"""With fewer pairs, redrawing them cannot reach far enough for a 95 % interval."""

NO_DIFFERENCE = "no difference shown"
TOO_FEW_PAIRS = "too few pairs of blocks"
NOT_COMPARABLE = "not comparable"
"""May be followed by the reason."""

_RATIOS = {"conflict_rate": ("conflicts", "decided"), "throughput_tps": ("committed", "seconds")}
"""Figures that are ratios of two of a side's counts."""
METRICS = (*_RATIOS, *PERCENTILES)
_APART_LEVEL = 0.002
"""The chance that shares of like sides are said to differ: each of three, of every comparison."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One metric of `other` over the same of `base`, with its interval: for 95 % by itself, or with all
    that are judged with it, see `simultaneous`.
    """

    metric: str
    base: float | None
    other: float | None
    ratio: float | None
    low: float | None
    high: float | None
    verdict: str
    error: float | None = None
    """The ratio's standard error."""

    @property
    def differs(self) -> bool:
        """Whether the interval leaves 1 out."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    @property
    def judged(self) -> bool:
        """Whether there is an interval to judge by."""
        return self.low is not None


@dataclass(frozen=True, slots=True)
class Apart:
    """A share of transactions in which two sides differ, so that neither is simply better."""

    what: str
    """One of LOST."""
    base: float
    other: float

    @property
    def unlike_load(self) -> bool:
        """Whether so many more failed on one side that what is left is of another load."""
        return self.what != "gave up" and abs(self.other - self.base) >= FELT

    @property
    def text(self) -> str:
        """`4 % and 12 % of transactions gave up`."""
        return f"{about(self.base)} and {about(self.other)} of transactions {self.what}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Key type, or target, `other` against `base`."""

    base: str
    other: str
    pairs: int
    ratios: tuple[Ratio, ...]
    pair_s: float
    """Seconds of measuring that a pair takes, of all that alternates together."""
    in_blocks: bool
    """Whether pairs are blocks, which the run may have shorter."""
    target: str | None = None
    """Where key types were compared, on which of several targets."""
    apart: tuple[Apart, ...] = ()
    """Shares of transactions in which the two differ, so that neither is simply better."""

    def of(self, metric: str) -> Ratio:
        """The ratio of one of METRICS."""
        return next(r for r in self.ratios if r.metric == metric)


def compare_key_types(
    attempts: Attempts, blocks: Blocks, key_types: list[str], seed: int
) -> list[Comparison]:
    """Every key type against the first, on each target by itself; empty unless several ran in blocks
    of their own.

    Targets differ from one another more than key types do: together they would hide the difference,
    or show one that is none.

    Args:
        attempts: the run's attempts.
        blocks: its blocks.
        key_types: those that ran, in the order of the report.
        seed: of the bootstrap's random numbers, so that a report can be made again.
    """
    if len(key_types) < 2 or not blocks.paired:
        return []
    groups = blocks.numbers // len(key_types)
    block_of = {
        key_type: {int(groups[place]): int(place) for place in np.flatnonzero(blocks.of(key_type))}
        for key_type in key_types
    }
    base = key_types[0]
    both = {other: sorted(block_of[base].keys() & block_of[other].keys()) for other in key_types[1:]}
    pair_s = float(np.median(blocks.seconds)) * len(key_types)
    units = pd.DataFrame({"block": blocks.numbers, "unit": np.arange(len(blocks.numbers))})
    comparisons = []
    for target in attempts.targets:
        sides = {
            (name, other): (target, [block_of[name][group] for group in both[other]])
            for other in both
            for name in (base, other)
        }
        table = Table(attempts, "attempts JOIN units USING (block)", blocks.seconds, sides, units)
        on = target if len(attempts.targets) > 1 else None
        for other, pairs in both.items():
            a, b = table.side((base, other)), table.side((other, other))
            ratios, apart = _ratios((base, other), a, b, table.edges, seed)
            comparisons.append(Comparison(base, other, len(pairs), ratios, pair_s, True, on, apart))
    return simultaneous(comparisons)


def compare_targets(attempts: Attempts, blocks: Blocks, seed: int) -> list[Comparison]:
    """Every target against the first, over the whole time: targets are measured at the same time."""
    targets = attempts.targets
    if len(targets) < 2:
        return []
    alone = int(blocks.present.any(axis=0).sum()) == 1
    source, lengths, units = _pieces(blocks) if alone else _joined(blocks)
    every = list(range(len(lengths)))
    pair_s = _PIECE_S if alone else float(np.median(lengths))
    table = Table(attempts, source, lengths, {target: (target, every) for target in targets}, units)
    base, comparisons = table.side(targets[0]), []
    for target in targets[1:]:
        names, other = (targets[0], target), table.side(target)
        ratios, apart = _ratios(names, base, other, table.edges, seed)
        few, many = (attempts.users.get(name) for name in names)
        if few != many:
            # The throughputs of different numbers of users follow these.
            why = f"{few or 'unknown'} and {many or 'unknown'} users"
            ratios = tuple(_without(r, why) if r.metric == "throughput_tps" else r for r in ratios)
        comparisons.append(Comparison(*names, len(every), ratios, pair_s, not alone, apart=apart))
    return simultaneous(comparisons)


_Units = tuple[str, Floats, pd.DataFrame]
"""(attempts with their unit, each unit's seconds, the table `units` that the first is made with)."""


def _pieces(blocks: Blocks) -> _Units:
    """The measured time in equal pieces; an attempt is in the one in which its transaction should have
    started.
    """
    wanted = max(_PIECES, len(blocks.numbers))
    pieces = max(1, min(wanted, int(blocks.duration_s / _PIECE_S + _ROUNDING), _MOST_PAIRS))
    length_ns = max(1, blocks.until_ns - blocks.from_ns)
    unit = f"((intended_start_ns - {blocks.from_ns})::HUGEINT * {pieces}) // {length_ns}"
    source = f"(SELECT *, greatest(0, least({pieces - 1}, {unit}))::INTEGER AS unit FROM attempts)"
    return source, np.full(pieces, blocks.duration_s / pieces), pd.DataFrame({"unit": range(pieces)})


def _joined(blocks: Blocks) -> _Units:
    """The blocks, or neighbouring ones taken together where they are too many."""
    size = len(blocks.numbers)
    unit = np.arange(size) * min(size, _MOST_PAIRS) // size
    units = pd.DataFrame({"block": blocks.numbers, "unit": unit})
    seconds = np.bincount(unit, blocks.seconds).astype(np.float64)
    return "attempts JOIN units USING (block)", seconds, units


def _ratios(
    names: tuple[str, str], a: Side, b: Side, edges: Floats, seed: int
) -> tuple[tuple[Ratio, ...], tuple[Apart, ...]]:
    pairs = len(a.counts)
    drawn = _bootstrap(a, b, edges, seed) if pairs >= MIN_PAIRS else {}
    # What failures took, and how seldom they conflicted, says nothing of transactions.
    known = all(side.counts["committed"].any() for side in (a, b))
    values = {m: [_figure(side, m) if known else None for side in (a, b)] for m in METRICS}
    ratios = tuple(_ratio(m, names, values[m], drawn.get(m), pairs) for m in METRICS)
    apart = tuple(_apart(a, b))
    unlike = [one for one in apart if one.unlike_load]
    return tuple(_without(r, unlike[0].text) for r in ratios) if unlike else ratios, apart


def _figure(side: Side, metric: str) -> float | None:
    if metric in _RATIOS:
        return side.share(*_RATIOS[metric])
    quantile, values = PERCENTILES[metric], side.ordered_ns
    enough = percentiles.enough(len(values), quantile)
    return percentiles.at(values, quantile) / 1e6 if enough else None


def _without(ratio: Ratio, why: str) -> Ratio:
    """Both values, and that they are not to be compared."""
    return replace(ratio, ratio=None, low=None, high=None, verdict=f"{NOT_COMPARABLE}: {why}")


def _apart(a: Side, b: Side) -> Iterator[Apart]:
    """The shares of transactions in which the sides differ: by FELT, or by more than chance shows."""
    for what, column in LOST.items():
        one = Apart(what, *(side.share(column, "ended") or 0.0 for side in (a, b)))
        if one.unlike_load or _is_shown(a, b, column, (one.base, one.other)):
            yield one


def _is_shown(a: Side, b: Side, column: str, shares: tuple[float, float]) -> bool:
    """Whether the difference of two shares is more than that of pairs shows by chance.

    Both are ratios of sums over pairs; their difference has the variance of its residuals' sum (W. G.
    Cochran, "Sampling Techniques", 1977, section 6.4).
    """
    pairs = len(a.counts)
    if pairs < MIN_PAIRS or shares[0] == shares[1]:
        return False
    rests = [
        (side.counts[column] - share * side.counts["ended"]).to_numpy()
        / max(1.0, side.counts["ended"].sum())
        for side, share in zip((a, b), shares, strict=True)
    ]
    error = math.sqrt(float(((rests[1] - rests[0]) ** 2).sum()) * pairs / (pairs - 1))
    return abs(shares[1] - shares[0]) > error * student_t(pairs - 1, 1 - _APART_LEVEL / 2)


def _ratio(
    metric: str,
    names: tuple[str, str],
    values: list[float | None],
    drawn: Floats | None,
    pairs: int,
) -> Ratio:
    base, other = values
    if not base or not other:
        return Ratio(metric, base, other, None, None, None, NOT_COMPARABLE)
    ratio = other / base
    if drawn is None:
        return Ratio(metric, base, other, ratio, None, None, TOO_FEW_PAIRS)
    finite = drawn[np.isfinite(drawn)]
    if len(finite) < 0.95 * len(drawn):
        return Ratio(metric, base, other, ratio, None, None, NOT_COMPARABLE)
    tail = _tail(pairs)
    low, high = (float(x) for x in np.quantile(finite, [tail, 1 - tail]))
    return Ratio(metric, base, other, ratio, low, high, _verdict(names[1], ratio, low, high))


def _verdict(name: str, ratio: float, low: float, high: float) -> str:
    return NO_DIFFERENCE if low <= 1 <= high else f"{name} is {'higher' if ratio > 1 else 'lower'}"


def _bootstrap(a: Side, b: Side, edges: Floats, seed: int) -> dict[str, Floats]:
    pairs = len(a.counts)
    draws = 10_000 if pairs <= 50 else 2_000
    weights = redraw(pairs, draws, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {
            metric: b.weighted(weights, *parts) / a.weighted(weights, *parts)
            for metric, parts in _RATIOS.items()
        }
        ratios |= {metric: np.empty(draws) for metric in PERCENTILES}
        for start in range(0, draws, 500):
            part = slice(start, start + 500)
            histograms = [weights[part] @ side.latency for side in (b, a)]
            for metric, quantile in PERCENTILES.items():
                above, below = (_quantile(histogram, edges, quantile) for histogram in histograms)
                ratios[metric][part] = above / below
    return ratios


def _quantile(histograms: Floats, edges: Floats, quantile: float) -> Floats:
    """(draws, bins) counts → (draws,) the quantile, by straight line within a bin."""
    column, share = quantile_bins(histograms, quantile)
    return np.asarray(edges[column] + share * (edges[column + 1] - edges[column]))


def _tail(pairs: int) -> float:
    """The share to cut off each end for a 95 % interval, widened for few pairs.

    Plain percentiles are too narrow for few samples, by √((n-1)/n) and by z for t; the correction
    is Hesterberg's ("What teachers should know about the bootstrap", 2015, section 5.3).
    """
    reach = student_t(pairs - 1, 0.975) * math.sqrt(pairs / (pairs - 1))
    return 0.5 * math.erfc(reach / math.sqrt(2))


def simultaneous(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of one report with intervals that all hold together for 95 %.

    Bonferroni: each of m intervals needs the level 1 − 0.05 / m. The bootstrap's are widened, on the
    logarithm, as Student's t of pairs − 1 degrees of freedom is. What differs by the wider interval
    differs; the verdicts say so.
    """
    tests = sum(ratio.judged for c in comparisons for ratio in c.ratios)
    return [
        replace(c, ratios=tuple(_widened(c, ratio, tests) for ratio in c.ratios)) for c in comparisons
    ]


def _widened(c: Comparison, one: Ratio, tests: int) -> Ratio:
    if one.low is None or one.high is None or not one.ratio:
        return one
    freedom = max(1, c.pairs - 1)
    wider = student_t(freedom, 1 - 0.025 / tests) / student_t(freedom, 0.975)
    low, high = (one.ratio * (end / one.ratio) ** wider for end in (one.low, one.high))
    error = (one.high - one.low) / 2 / Z95
    return replace(
        one, low=low, high=high, error=error, verdict=_verdict(c.other, one.ratio, low, high)
    )
