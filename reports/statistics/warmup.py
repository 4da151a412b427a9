"""Is the measured time warm? Whether its beginning differs from the rest, and until when.

A warm-up that was too short leaves its end in the figures: caches that are still filling, code that is
compiled, connections and statistics that are made. Throughput and latency are looked at in equal pieces
of the measured time, by when transactions started, each key type relative to its own later level, so
that key types in alternating blocks make one course.

*Whether*: L. Schruben, H. Singh and L. Tierney, "Optimal Tests for Initialization Bias in Simulation
Output", Operations Research 31 (1983), pp. 1167–1178. Their statistic weighs the early values most, and
is Student-distributed where there is no bias. *Until when*: the marginal standard error rule, MSER, of
K. P. White, "An Effective Truncation Heuristic for Bias Reduction in Simulation Output", Simulation 69
(1997), pp. 323–334. *Whether it matters*: by how much the figure would change without the beginning.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis import percentiles
from reports.analysis.over_time.blocks import Blocks
from reports.analysis.ranks import Ranks
from reports.analysis.reading.attempts import Attempts

Floats = NDArray[np.float64]
Measure = Literal["throughput", "latency"]

SHORTEST_PIECE_S = 0.25
LATENCIES_A_PIECE = 5.0
"""A piece must be long against the latency, or users in step with one another look like waves."""
STARTS_A_PIECE = 20
FEWEST_PIECES = 32
"""With fewer, the later half says too little of how much chance does."""
MOST_PIECES = 200
LEVEL = 0.001
"""Chance of a false alarm in one of the tests, where pieces are not correlated over long times."""
FELT = 0.02
"""Change of a figure without its beginning, as a share of it, from which the beginning matters."""
HEAVY = 0.05
"""The same, from which the figure should not be used."""
DRIFT = 0.1
"""Difference of the two halves of a course that never settles, from which it is told."""
_SETTLED_BY = 0.45
"""Share of the time after which a beginning is no beginning any more."""
_Z_ONE_SIDED = 1.645
"""Standard normal deviate of a one-sided 95 % limit."""
_LOG_UNITS = 1 << 40
"""Logarithms are summed as whole multiples of 1 / this: their sum does not depend on an order."""
_MOST_CORRELATED = 0.97
"""Correlation of neighbours above which a variance would be divided by nothing."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A beginning that differs from the rest; shares are of what came later, 0.1 is 10 % more."""

    measure: Measure
    until_s: float
    """Seconds of the measured time that should have been warm-up."""
    early: float
    """By how much the beginning differed from what came later."""
    bias: float
    """By how much it moves the figure of the whole measured time."""
    settled: bool
    """False: the course went on changing into the second half of the time. `early` is then the first
    half against the second."""


@dataclass(frozen=True, slots=True)
class Warmth:
    """What is known of one target's measured time."""

    enough: bool
    """Whether there was enough time, and were enough transactions, to tell."""
    beginnings: tuple[Beginning, ...]
    """What was found; nothing where the time was warm."""
    needed_s: float
    """Measured time from which there is enough, at this latency and throughput."""
    sure: bool = False
    """Whether a beginning that matters can be excluded, of throughput and of latency."""


def find_warmth(attempts: Attempts, blocks: Blocks, ranks: Ranks) -> dict[str, Warmth]:
    """Judge each target's measured time by its name; `ranks` are the latencies by target, at least, of
    the transactions that count.
    """
    length = blocks.duration_s
    groups = {name: ranks.where({"target": name}) for name in sorted(set(ranks.groups["target"]))}
    latencies = ranks.pick(groups, lambda samples: percentiles.ranks_of(samples, 0.5))
    usual_s = {name: percentiles.at(values, 0.5) / 1e9 for name, values in latencies.items()}
    cut = {name: pieces_of(length, len(values), usual_s[name]) for name, values in latencies.items()}
    counts = _in_pieces(attempts, blocks, cut)
    warmths = {}
    for name, values in latencies.items():
        mine = counts[counts["target"] == name]
        piece_s = max(shortest_piece(usual_s[name]), STARTS_A_PIECE * length / len(values))
        if cut[name] < FEWEST_PIECES or not mine["committed"].any():
            warmths[name] = Warmth(enough=False, beginnings=(), needed_s=FEWEST_PIECES * piece_s)
        else:
            warmths[name] = _of_target(blocks, mine, cut[name], FEWEST_PIECES * piece_s)
    return warmths


def _in_pieces(attempts: Attempts, blocks: Blocks, cut: dict[str, int]) -> pd.DataFrame:
    """What started in each piece of the measured time, by target and key type: how many transactions
    that count and that committed, and the sum of their latencies' logarithms.
    """
    pieces = pd.DataFrame({"target": list(cut), "pieces": [max(1, n) for n in cut.values()]})
    share = f"(intended_start_ns - {blocks.from_ns}) / 1e9 / {blocks.duration_s}"
    return attempts.frame(
        f"""
        SELECT target, key_type,
            greatest(0, least(pieces - 1, trunc({share} * pieces)))::INTEGER AS piece,
            count(*) AS counted, count(*) FILTER (committed) AS committed,
            sum((ln(greatest(latency_ns, 1)) * {_LOG_UNITS})::BIGINT) / {_LOG_UNITS} AS logs
        FROM attempts JOIN pieces USING (target) WHERE counted GROUP BY ALL
        """,
        pieces=pieces,
    )


def _of_target(blocks: Blocks, counts: pd.DataFrame, pieces: int, needed_s: float) -> Warmth:
    speed, shift, finished = np.zeros((3, pieces))
    own = _own_seconds(blocks, pieces)
    for code, key_type in enumerate(blocks.key_types):
        mine = counts[counts["key_type"] == key_type].set_index("piece")
        table = mine[["committed", "counted", "logs"]].reindex(range(pieces), fill_value=0)
        starts, started, sums = table.to_numpy(float).T
        seconds = own[:, code]
        finished += started
        # In which pieces the key type spent the second half of its own time.
        later = np.cumsum(seconds) > seconds.sum() / 2
        rate = starts[later].sum() / seconds[later].sum() if seconds[later].sum() else 0.0
        speed += starts / rate if rate else 0.0
        if started[later].sum():
            shift += sums - started * (sums[later].sum() / started[later].sum())
    piece_s = blocks.duration_s / pieces
    courses: dict[Measure, Floats] = {"throughput": speed / piece_s - 1}
    if finished.all():
        courses["latency"] = shift / finished
    judged = (judge(values, measure, piece_s) for measure, values in courses.items())
    beginnings = tuple(one for one in judged if one is not None)
    sure = len(courses) == 2 and all(excludes_bias(v, measure) for measure, v in courses.items())
    return Warmth(True, beginnings, needed_s, sure)


def pieces_of(length_s: float, transactions: int, latency_s: float) -> int:
    """Into how many pieces the measured time can be cut; 0 where it cannot be cut at all."""
    return min(MOST_PIECES, int(length_s / shortest_piece(latency_s)), transactions // STARTS_A_PIECE)


def shortest_piece(latency_s: float) -> float:
    """Seconds of a piece in which a transaction of this latency is no long time."""
    return max(SHORTEST_PIECE_S, LATENCIES_A_PIECE * latency_s)


def _own_seconds(blocks: Blocks, pieces: int) -> Floats:
    """(pieces, key types): seconds of each piece that lie in blocks of the key type."""
    edges = np.linspace(0, blocks.until_ns - blocks.from_ns, pieces + 1)
    bounds = np.stack([blocks.starts_ns, blocks.ends_ns], axis=1) - blocks.from_ns
    seconds = np.zeros((pieces, blocks.present.shape[1]))
    for kind in range(seconds.shape[1]):
        own = bounds[blocks.present[:, kind]].astype(float)
        # Own time passes within a block and stands still between two.
        lengths = own[:, 1] - own[:, 0]
        passed = np.stack([np.cumsum(lengths) - lengths, np.cumsum(lengths)], axis=1)
        if len(own):
            seconds[:, kind] = np.diff(np.interp(edges, own.ravel(), passed.ravel())) / 1e9
    return seconds


def judge(values: Floats, measure: Measure, piece_s: float) -> Beginning | None:
    """What a course begins with, None where nothing but chance is seen or it does not matter.

    `values` are relative to the later level: a share for throughput, a logarithm for latency.
    """
    if initialization_p(values) >= LEVEL:
        return None
    cut = mser(values)
    if cut > _SETTLED_BY * len(values):
        half = len(values) // 2
        drift = _change(values[:half], values[half:], measure)
        if abs(drift) < DRIFT:
            return None
        return Beginning(measure, half * piece_s, drift, 0.0, settled=False)
    if not cut:
        return None
    bias = _change(values, values[cut:], measure)
    early = _change(values[:cut], values[cut:], measure)
    if abs(bias) < FELT:
        return None
    return Beginning(measure, cut * piece_s, early, bias, settled=True)


def excludes_bias(values: Floats, measure: Measure) -> bool:
    """Whether the figure would change by less than FELT without its first tenth, and without its first
    quarter, with 95 % (one-sided).

    The mean of all n values and that of the last n − d differ with the variance σ² (1/(n − d) − 1/n),
    where σ² is the long-run variance, of the second half or of all, whichever is larger: of a time that
    is uneven anywhere nothing can be excluded.
    """
    n = len(values)
    variance = max(_long_run(values[n // 2 :])[0], _long_run(values)[0])
    for cut in (n // 10, n // 4):
        error = math.sqrt(variance * (1 / (n - cut) - 1 / n))
        # So written that NaN, as where nothing was committed later, excludes nothing.
        if not abs(_change(values, values[cut:], measure)) + _Z_ONE_SIDED * error < FELT:
            return False
    return True


def _change(part: Floats, level: Floats, measure: Measure) -> float:
    """How much more the mean of a part is than that of another, as a share."""
    if measure == "latency":
        return math.expm1(float(part.mean() - level.mean()))
    above, below = 1 + float(part.mean()), 1 + float(level.mean())
    if below <= 0:
        return math.inf if above > 0 else math.nan
    return above / below - 1


def initialization_p(values: Floats) -> float:
    """Probability that a course without a beginning of its own looks like this one (two-sided).

    With S_k the sum of the first k of n values and σ² their long-run variance, the statistic is
    √45 / (n^1.5 σ) · Σ_k (1 − k/n) · (k·mean − S_k).

    σ² is that of the second half, which a beginning does not reach, about its straight line: a course
    that never settles must not pass for noise. Of a first-order autoregression it is
    s² (1 + ρ) / (1 − ρ), where ρ is the correlation of neighbours, corrected for its bias about a line,
    (2 + 4ρ)/m in m values (P. Shaman and R. A. Stine, "The Bias of Autoregressive Coefficient
    Estimators", JASA 83, 1988, pp. 842–848). The values are worth m (1 − ρ) / (1 + ρ) independent ones,
    less two for the line, which gives Student's degrees of freedom.
    """
    n = len(values)
    m = n - n // 2
    variance, longer = _long_run(values[n // 2 :])
    k = np.arange(1, n + 1)
    area = float(np.sum((1 - k / n) * (k * values.mean() - np.cumsum(values))))
    if not variance:
        return 1.0 if abs(area) < 1e-6 * n else 0.0
    statistic = math.sqrt(45 / variance) * area / n**1.5
    from scipy.special import stdtr

    return 2 * float(stdtr(max(1.0, m / longer - 2), -abs(statistic)))


def _long_run(values: Floats) -> tuple[float, float]:
    """(long-run variance about the straight line, (1 + ρ) / (1 − ρ)), as `initialization_p` has them;
    a variance of 0 where nothing but rounding is left.
    """
    m = len(values)
    line = np.arange(m) - (m - 1) / 2
    rest = values - values.mean()
    rest = rest - line * float(line @ rest) / float(line @ line)
    squares = float(rest @ rest)
    if squares <= 1e-18 * m:
        return 0.0, 1.0
    raw = float(rest[1:] @ rest[:-1]) / squares
    correlation = min(max(raw + (2 + 4 * raw) / m, 0.0), _MOST_CORRELATED)
    longer = (1 + correlation) / (1 - correlation)
    return squares / (m - 2) * longer, longer


def mser(values: Floats) -> int:
    """How many values to cut off so that the standard error of the rest's mean is least.

    The marginal standard error of what is left after d of n values is Σ (x − mean)² / (n − d)². At
    most half is cut off: near the end the rule prefers a few values that happen to be alike.
    """
    n = len(values)
    left = np.arange(n, 0, -1)
    sums = np.cumsum(values[::-1])[::-1]
    squares = np.cumsum(values[::-1] ** 2)[::-1]
    spread = np.maximum(squares - sums**2 / left, 0) / left.astype(float) ** 2
    return int(np.argmin(spread[: n // 2 + 1]))
