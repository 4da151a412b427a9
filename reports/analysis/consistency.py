"""What the consistency probes of a run found, by pair of endpoints and in all.

A probe commits a value through one endpoint (the writer) and reads it through another (the reader).
Those that failed are neither fresh nor stale; they are counted apart and are in no share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from loadtest.errors import InputError
from loadtest.record.probes import FILE, Probe, read_probes
from reports.analysis.percentiles import Distribution, describe
from reports.text.rounding import count, milliseconds, percent, plural


@dataclass(frozen=True, slots=True)
class Probes:
    """What a number of probes found."""

    made: int
    """Those that were fresh or stale."""
    stale: int
    failed: int
    longest_stale_ms: float | None
    """From the answer of COMMIT to the first read of the value; None where no probe was stale."""
    never_seen: int
    """Stale ones in which no read found the value: their staleness is only a lower bound."""
    read_ms: Distribution
    """From the answer of COMMIT to that of the first read, fresh or stale."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """A run's probes; `pairs` is by (writer, reader)."""

    overall: Probes
    pairs: dict[tuple[str, str], Probes]


def find_consistency(folder: Path) -> Consistency | None:
    """Read a run's probes; None where it kept none. Raises InputError where the file is damaged."""
    try:
        probes = read_probes(folder)
    except (OSError, KeyError, ValueError, MemoryError, pa.ArrowException) as error:
        raise InputError(
            f"{folder / FILE} is damaged; delete it to report on the rest of the run"
        ) from error
    return None if probes is None else summarise(probes)


def summarise(probes: Sequence[Probe]) -> Consistency:
    """The figures of these probes."""
    by_pair: dict[tuple[str, str], list[Probe]] = {}
    for probe in probes:
        by_pair.setdefault((probe.writer, probe.reader), []).append(probe)
    return Consistency(_figures(probes), {pair: _figures(by_pair[pair]) for pair in sorted(by_pair)})


def _figures(probes: Sequence[Probe]) -> Probes:
    made = [probe for probe in probes if not probe.failed]
    stale = [probe.stale_ns for probe in made if probe.stale_ns is not None]
    first = np.sort(np.array([p.read_ns for p in made if p.read_ns is not None], np.int64))
    return Probes(
        made=len(made),
        stale=len(stale),
        failed=len(probes) - len(made),
        longest_stale_ms=max(stale) / 1e6 if stale else None,
        never_seen=sum(not probe.seen for probe in made),
        read_ms=describe(first),
    )


def share_at_most(made: int) -> float:
    """The largest share of stale reads that none in so many probes leaves believable.

    The upper end of a 95 % interval by the *rule of three*: 3/n (J. A. Hanley, A. Lippman-Hand,
    "If Nothing Goes Wrong, Is Everything All Right?", JAMA 249, 1983). It holds for probes that do
    not depend on one another.
    """
    return min(1.0, 3 / made)


def reading(found: Consistency) -> str:
    """The probes in a sentence or two, for people."""
    whole = found.overall
    if not whole.made:
        failed = f": {count(whole.failed)} failed" if whole.failed else ""
        return f"No probe could say whether the endpoints are consistent{failed}."
    failed = f" {plural(whole.failed, 'more probe')} failed and say nothing." if whole.failed else ""
    if not whole.stale:
        return (
            f"{plural(whole.made, 'probe')}, none stale: what was committed through one endpoint was "
            "what the next transaction through another one read. With none in "
            f"{count(whole.made)}, at most {percent(share_at_most(whole.made))} of such reads are "
            f"stale (95 % bound, rule of three).{failed}"
        )
    worst = max(found.pairs, key=lambda pair: found.pairs[pair].longest_stale_ms or 0.0)
    return (
        f"{count(whole.stale)} of {plural(whole.made, 'probe')} stale "
        f"({percent(whole.stale / whole.made)}): a transaction through one endpoint did not see what "
        f"had been committed through another, for {longest(whole)} at worst (written through "
        f"{worst[0]}, read through {worst[1]}).{failed}"
    )


def longest(probes: Probes) -> str:
    """The longest staleness as text."""
    if probes.longest_stale_ms is None:
        return "—"
    at_least = "at least " if probes.never_seen else ""
    return f"{at_least}{milliseconds(probes.longest_stale_ms)}"
