"""What a closed loop leaves out: the arrivals that a stall would have met, and that nobody started.

A user that waits starts nothing. So a stall shows once for each user, instead of once for each
transaction that would have come meanwhile (coordinated omission). G. Tene's correction, which
HdrHistogram makes (`recordValueWithExpectedInterval`), adds those for every slow answer, as if all had
met it; a transaction that is slow by itself, for it retries while others go on, then counts many times.
The record knows better: a stall is where nothing ends, although the one that ends next has begun.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis import percentiles
from reports.analysis.over_time.blocks import Blocks
from reports.analysis.ranks import FINE, Ranks
from reports.analysis.reading.attempts import Attempts

Floats = NDArray[np.float64]

TAIL = 0.99
STALL_LATENCIES = 2.0
"""Median latencies from which a time without an end is a stall."""
_STEPS_A_STALL = 2
"""Ends that are a stall apart lie in different bins of half its length: only their ends are needed."""
_ROUNDS = 40


@dataclass(frozen=True, slots=True)
class Omission:
    """What arrivals that come evenly would have met on a target."""

    p99_s: float
    """Their p99 in seconds."""
    share: float
    """Share of the measured time that is stalls."""
    longest_s: float
    """The longest stall; 0 where there was none."""


def find_omissions(attempts: Attempts, blocks: Blocks, latencies: Ranks) -> dict[str, Omission]:
    """By target, where it has enough transactions for a p99; `latencies` are those by target, at least,
    of the transactions that count.
    """
    found = omissions(attempts, blocks.from_ns, blocks.duration_s, latencies)
    return {name: one for name, (samples, one) in found.items() if percentiles.enough(samples, TAIL)}


def omissions(
    attempts: Attempts, from_ns: int, length_s: float, ranks: Ranks
) -> dict[str, tuple[int, Omission]]:
    """By target: how many transactions it has, and what arrivals spread evenly over the measured time
    would have met.

    One that comes within a stall waits for its end, and takes the median at least. One that comes at
    another time takes as long as any transaction that was made.
    """
    names = sorted(set(ranks.groups["target"]))
    groups = {name: ranks.where({"target": name}) for name in names}
    latencies = ranks.pick(
        groups, lambda samples: percentiles.ranks_of(samples, 0.5, TAIL) | {samples - 1}
    )
    usual_ns = {name: percentiles.at(values, 0.5) for name, values in latencies.items()}
    stalls = _stalls(attempts, from_ns, length_s, usual_ns)
    found = {}
    for name, values in latencies.items():
        p99_s, share, longest_s = percentiles.at(values, TAIL) / 1e9, 0.0, 0.0
        if len(mine := stalls[name]):
            share = min(1.0, float(mine.sum()) / length_s)
            longest_s = float(mine.max())

            def longer(x: float, above: float, mine: Floats = mine, share: float = share) -> float:
                """Share of arrivals that take longer than x, which this share of transactions took."""
                return float(np.maximum(mine - x, 0).sum()) / length_s + (1 - share) * above

            ends_s = usual_ns[name] / 1e9, values[len(values) - 1] / 1e9
            p99_s = max(p99_s, _exceeded_by_tail(ranks, groups[name], longer, *ends_s))
        found[name] = len(values), Omission(p99_s, share, longest_s)
    return found


def _exceeded_by_tail(
    ranks: Ranks,
    groups: NDArray[np.intp],
    longer: Callable[[float, float], float],
    low: float,
    high: float,
) -> float:
    """The time between these, in seconds, that 1 − TAIL of arrivals exceed."""
    bins, counts, _ = ranks.bins(groups)
    stops = np.cumsum(counts)
    samples = int(stops[-1])
    before = stops - counts
    edges_s = (np.exp(bins / FINE) / 1e9).tolist()
    # Only the values in the bin where it lies are read.
    first = bisect_left(
        range(len(bins)),
        True,
        key=lambda i: longer(edges_s[i], 1 - float(before[i]) / samples) <= 1 - TAIL,
    )
    place = max(0, first - 1)
    inside = range(int(before[place]), int(stops[place]))
    values = ranks.pick({"": groups}, lambda _: inside)[""]
    there_s = np.array([values[rank] for rank in inside]) / 1e9
    begin_s, end_s = edges_s[place], edges_s[place + 1] if place + 1 < len(bins) else np.inf
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        above = (samples - stops[place] + np.count_nonzero(there_s > middle)) / samples
        exceeds = middle < begin_s or (middle < end_s and longer(middle, above) > 1 - TAIL)
        low, high = (middle, high) if exceeds else (low, middle)
    return high


def _stalls(
    attempts: Attempts, from_ns: int, length_s: float, usual_ns: dict[str, float]
) -> dict[str, Floats]:
    """By target: how long each time was, in seconds, in which nothing ended while the one that ended
    next was waiting, within the measured time, where that is a stall.
    """
    length_ns = round(length_s * 1e9)
    widths = pd.DataFrame(
        {
            "target": list(usual_ns),
            "width": [
                max(1, int(STALL_LATENCIES * usual / _STEPS_A_STALL)) for usual in usual_ns.values()
            ],
        }
    )
    ends = attempts.frame(
        f"""
        WITH ended AS (
            SELECT target, width, end_ns, intended_start_ns - {from_ns} AS began,
                least(end_ns - {from_ns}, {length_ns}) AS ended
            FROM attempts JOIN widths USING (target) WHERE counted
        )
        SELECT target, ended // width AS bin, min(ended) AS first, max(ended) AS last,
            arg_min(began, (end_ns, began)) AS began
        FROM ended GROUP BY ALL ORDER BY ALL
        """,
        widths=widths,
    )
    found = {}
    for name, usual in usual_ns.items():
        mine = ends[ends["target"] == name]
        since = np.append(0, mine["last"].to_numpy()[:-1])
        stalls = mine["first"].to_numpy() - np.maximum(since, mine["began"].to_numpy())
        found[name] = stalls[stalls > STALL_LATENCIES * usual] / 1e9
    return found
