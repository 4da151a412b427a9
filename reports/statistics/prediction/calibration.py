"""What a run says about its system, to forecast other workloads on it (`loadtest.prediction.forecast`).

Times of attempts and windows, by key type and target; and, where there were conflicts enough, where
within COMMIT the database decides: not seen from outside, but the measured conflict rate tells it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.prediction.forecast import explained_range, placement_from
from loadtest.prediction.workload import UNKNOWN_PLACEMENT, Interval, Region, Workload
from loadtest.record.run import Run, read_run
from loadtest.workload.access import parse_access
from loadtest.workload.retry import RetryPolicy
from reports.analysis import percentiles
from reports.analysis.over_time.blocks import find_blocks
from reports.analysis.ranks import Ranks
from reports.analysis.reading.attempts import Attempts, open_attempts
from reports.analysis.reading.systems import find_databases
from reports.analysis.shares import share_interval
from reports.statistics.intervals import Floats, student_t

FEW_CONFLICTS = 30
"""With fewer, the measured rate says too little about where the windows lie."""
_PIECES = (8, 25)
_PIECE_S = 0.4
"""Pieces are so long, if there are enough of them: backoff carries luck over from one to the next."""
_LONGEST = 0.995
"""Times beyond this quantile count as that long, where a stall should not decide."""
_ENOUGH_ROWS = 2_000_000
"""So many attempts tell the client's own time well enough."""


@dataclass(frozen=True, slots=True)
class KeyCalibration:
    """What the run says about one key type."""

    regions: tuple[Region, ...]
    attempts: int
    conflicts: int
    throughput_tps: float
    """Committed transactions a second of its blocks."""
    conflict_rate: Interval
    """As measured, with its 95 % interval from pieces of the measured time."""
    placement: Interval
    """Where the windows lie between their ends; 0 … 1 where the conflicts do not say."""
    explained: bool
    """False where no placement of the windows explains the measured rate."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A run's settings, and its times by key type."""

    folder: Path
    accounts: int
    skew: str
    users: int
    rate: float | None
    think_s: float
    retry: RetryPolicy
    between_s: float
    """The client's own time between two transactions of a user, without the think time."""
    key_types: dict[str, KeyCalibration]
    notes: tuple[str, ...]
    """What a reader of a forecast from this run should know."""
    target_delays_ms: dict[str, float]
    """The commit delay that a target was given, as far as `run.json` says."""
    decides_after_s: dict[str, float]
    """How long a target's COMMIT takes at least before it is decided; windows hold that."""

    def delays_ms(self, key_type: str) -> list[float]:
        """The commit delay that the times of each of the key type's Regions contain."""
        return [self.target_delays_ms.get(one.name, 0.0) for one in self.key_types[key_type].regions]

    def workload(
        self,
        key_type: str,
        *,
        accounts: int | None = None,
        skew: str | None = None,
        users: int | None = None,
        rate: float | None = None,
        think_s: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> Workload:
        """The run's own workload with these settings changed.

        Giving `users` alone means a closed loop and `rate` alone an open one with the run's users,
        whatever the run was.
        """
        known = self.key_types[key_type]
        if rate is None and users is None:
            rate = self.rate
        return Workload(
            law=parse_access(skew or self.skew, accounts or self.accounts),
            regions=known.regions,
            retry=retry or self.retry,
            users=users if users is not None else self.users,
            rate=rate,
            evenly=rate is not None,
            think_s=0.0 if rate is not None else self.think_s if think_s is None else think_s,
            placement=known.placement,
        )


def read_calibration(folder: Path, like: Mapping[str, KeyCalibration] | None = None) -> Calibration:
    """Read a run's folder.

    Args:
        folder: the run's folder.
        like: key types of other runs on the same system. Of a key type that had too few conflicts to
            show where its windows lie, they are placed as they are there.

    Raises:
        InputError: if the run tells nothing of others: no transfers, targets that are (or may be)
            several databases, or a target that does not show its COMMIT.
    """
    run = read_run(folder)
    with open_attempts(folder, run) as attempts:
        return _calibration(folder, run, attempts, like or {})


def _calibration(
    folder: Path, run: Run, attempts: Attempts, like: Mapping[str, KeyCalibration]
) -> Calibration:
    # What neither committed nor conflicted says nothing of how long an attempt takes.
    decided = attempts.frame(
        """
        SELECT key_type, target, count(*) AS attempts, count(*) FILTER (conflicted) AS conflicts,
            count(*) FILTER (final AND committed) AS committed,
            count(*) FILTER (window_high_ns > 0) AS reached,
            count(*) FILTER (attempt = 1) AS transactions,
            sum(end_ns - start_ns) / count(*) / 1e9 AS lasted,
            min(start_ns) AS first, max(start_ns) AS last
        FROM attempts WHERE decided GROUP BY ALL ORDER BY ALL
        """
    )
    _check(folder, run, attempts, decided)
    blocks, config = find_blocks(run, attempts), run.config
    users = config.users or sum(attempts.users.values())
    if not users or run.size is None:
        raise InputError(f"{folder} does not say how many users or accounts there were")
    think_s = config.think_time or 0.0
    base_ms, cap_ms = (
        default if one is None else one
        for one, default in ((config.retry_base_ms, 5.0), (config.retry_cap_ms, 1000.0))
    )
    policy = config.retry or "full-jitter"
    calibration = Calibration(
        folder=folder,
        accounts=run.size,
        skew=config.skew,
        users=users,
        rate=config.rate,
        think_s=think_s,
        retry=RetryPolicy(policy, base_ms / 1000, cap_ms / 1000, config.max_attempts),
        between_s=_between_s(attempts, think_s) if config.rate is None else 0.0,
        key_types={},
        notes=tuple(text for holds, text in _notes(run) if holds),
        target_delays_ms={target.name: target.commit_delay_ms or 0.0 for target in run.targets},
        decides_after_s={target.name: target.decides_after_s for target in run.targets},
    )
    for name in attempts.key_types:
        mine = decided[decided["key_type"] == name]
        # A key type of which nothing came to COMMIT shows no window.
        if mine["reached"].any():
            _add(calibration, attempts, mine, name, blocks.duration_of(name), like.get(name))
    if not calibration.key_types:
        raise InputError(
            f"nothing committed and nothing conflicted in {folder}: it says nothing to go by"
        )
    return calibration


def _check(folder: Path, run: Run, attempts: Attempts, decided: pd.DataFrame) -> None:
    other = [name for name in attempts.operations if name != "transfer"]
    if other:
        raise InputError(
            f"{folder} ran the scenario {quoted(other[0])}; a forecast knows only how transfers access "
            "accounts"
        )
    if not find_databases(run, attempts.targets).whole:
        raise InputError(
            f"the targets of {folder} ({', '.join(map(quoted, attempts.targets))}) are not known to be "
            "one database; forecast from a run on one of them"
        )
    for name, reached in decided.groupby("target")["reached"].sum().items():
        if not reached:
            raise InputError(
                f"target {quoted(name)} of {folder} does not show its COMMIT, so its windows are not "
                "known"
            )


def _notes(run: Run) -> list[tuple[bool, str]]:
    """What may have to be known of a forecast from this run, each with whether it has."""
    locks = (
        "The run's target locks rows. The model is that of optimistic concurrency control, where "
        "nobody waits; what it says of another setting holds only as far as locks did not matter."
    )
    busy = "A load process of the run used a whole core: its times contain the tool's own waiting."
    return [
        (any(target.regime == "locking" for target in run.targets), locks),
        (any((generator.cpu_share or 0) >= 0.9 for generator in run.generators), busy),
        (run.interrupted, "The run was interrupted."),
    ]


def _add(
    calibration: Calibration,
    attempts: Attempts,
    decided: pd.DataFrame,
    key_type: str,
    seconds: float,
    elsewhere: KeyCalibration | None,
) -> None:
    rows = {row.target: row for row in decided.itertuples() if row.reached}
    rows = {target: rows[target] for target in attempts.targets if target in rows}

    def regions(placement: float) -> tuple[Region, ...]:
        return tuple(_region(calibration, attempts, row, placement) for row in rows.values())

    measured = rate_in_pieces(*_in_pieces(attempts, decided, key_type))
    known = KeyCalibration(
        regions=regions(UNKNOWN_PLACEMENT.best),
        attempts=int(decided["attempts"].sum()),
        conflicts=int(decided["conflicts"].sum()),
        throughput_tps=int(decided["committed"].sum()) / seconds if seconds > 0 else 0.0,
        conflict_rate=measured,
        placement=UNKNOWN_PLACEMENT,
        explained=True,
    )
    calibration.key_types[key_type] = known
    own = calibration.workload(key_type)
    low, high = explained_range(own)
    known = replace(known, explained=measured.low <= high and measured.high >= low)
    if known.conflicts >= FEW_CONFLICTS:
        placed = regions(placement_from(own, measured).best)
        # Once more with the spread that windows have there, so that the run's own rate comes out.
        placement = placement_from(replace(own, regions=placed), measured)
        known = replace(known, regions=placed, placement=placement)
    elif elsewhere is not None:
        placement = elsewhere.placement
        known = replace(known, regions=regions(placement.best), placement=placement)
    calibration.key_types[key_type] = known


def _region(calibration: Calibration, attempts: Attempts, row: Any, placement: float) -> Region:
    """What the attempts of one key type on one target took; the spread is that of windows placed so."""
    after_ns = round(calibration.decides_after_s.get(row.target, 0.0) * 1e9)
    low = f"least(window_low_ns + {after_ns}, window_high_ns)"
    there = pd.DataFrame({"key_type": [row.key_type], "target": [row.target]})
    source = "attempts JOIN there USING (key_type, target) WHERE decided AND window_high_ns > 0"
    means = f"sum({low}) / count(*), sum(window_high_ns) / count(*)"
    low_ns, high_ns = attempts.one(f"SELECT {means} FROM {source}", there=there)
    window = f"{low} + {placement!r} * (window_high_ns - {low})"
    mean, spread = _trimmed(attempts, window, source, there)
    closed = calibration.rate is None
    users = attempts.users.get(row.target, calibration.users)
    return Region(
        name=row.target,
        window_low_s=low_ns / 1e9,
        window_high_s=high_ns / 1e9,
        attempt_s=row.lasted,
        window_spread=spread / mean if mean > 0 else 0.0,
        share=float(users if closed else max(1, row.transactions)),
        between_s=calibration.between_s,
        start_spread_s=None if closed else _start_spread_s(attempts, source, there, placement),
    )


def _start_spread_s(
    attempts: Attempts, source: str, there: pd.DataFrame, placement: float
) -> float | None:
    """Standard deviation of the time from a scheduled start to the snapshot, of first attempts.

    What passes before the first statement is the attempt without its longest window. Of the first
    statement itself, which is the longest window without the shortest and without COMMIT, as much
    lies before the snapshot as `placement` leaves out of the window.
    """
    first = f"{source} AND attempt = 1"
    if not attempts.one(f"SELECT count(*) FROM {first}", there=there)[0]:
        return None
    statement = "greatest(0, window_high_ns - window_low_ns - commit_ns)"
    before = "end_ns - intended_start_ns - window_high_ns"
    return _trimmed(attempts, f"{before} + {1 - placement!r} * {statement}", first, there)[1] / 1e9


def _trimmed(
    attempts: Attempts, nanoseconds: str, source: str, there: pd.DataFrame
) -> tuple[float, float]:
    """(mean, standard deviation) of what an expression gives, without what stalls did."""
    # In whole thousandths: ranks are of whole numbers, and their sums do not depend on an order.
    thousandths = f"round(({nanoseconds}) * 1000)::BIGINT"
    ranks = Ranks(attempts, source, thousandths, there=there)
    wanted = ranks.pick({"": ranks.where({})}, lambda n: percentiles.ranks_of(n, _LONGEST))[""]
    most = round(percentiles.at(wanted, _LONGEST))
    count, total, squares = attempts.one(
        f"SELECT count(*), sum(x), sum(x * x) "
        f"FROM (SELECT least({thousandths}, {most})::HUGEINT AS x FROM {source})",
        there=there,
    )
    return total / count / 1000, math.sqrt(count * squares - total**2) / count / 1000


def _between_s(attempts: Attempts, think_s: float) -> float:
    """From the end of a user's transaction to its next one, without the pause that was asked for."""
    if not attempts.users:
        return 0.0
    count, first, last = attempts.one("SELECT count(*), min(start_ns), max(start_ns) FROM recorded")
    until = first + int((last - first) * min(1.0, _ENOUGH_ROWS / count))
    # A pause of another cause, a new connection for one, is not what every transaction waits.
    mean_ns: float | None = attempts.one(
        f"""
        WITH following AS (
            SELECT attempt, start_ns - lag(end_ns) OVER (
                PARTITION BY "user" ORDER BY start_ns, end_ns, transaction, attempt) AS pause
            FROM recorded WHERE start_ns <= {until}
        ),
        pauses AS (SELECT pause FROM following WHERE attempt = 1 AND pause IS NOT NULL),
        longest AS (SELECT quantile_cont(pause, {_LONGEST})::BIGINT AS longest FROM pauses)
        SELECT sum(least(pause, longest)) / count(*) FROM pauses, longest
        """
    )[0]
    return max(0.0, (mean_ns or 0.0) / 1e9 - think_s)


def _in_pieces(attempts: Attempts, decided: pd.DataFrame, key_type: str) -> tuple[Floats, Floats]:
    """(attempts, conflicts) in equal pieces of the time in which a key type's attempts started."""
    begin, end = int(decided["first"].min()), int(decided["last"].max()) + 1
    pieces = pieces_between(begin, end)
    counts = attempts.frame(
        f"""
        SELECT trunc((start_ns - {begin})::DOUBLE / {end - begin} * {pieces})::INTEGER AS piece,
            count(*) AS attempts, count(*) FILTER (conflicted) AS conflicts
        FROM attempts JOIN kind USING (key_type) WHERE decided GROUP BY ALL
        """,
        kind=pd.DataFrame({"key_type": [key_type]}),
    ).set_index("piece")
    counts = counts.reindex(range(pieces), fill_value=0).astype(float)
    return counts["attempts"].to_numpy(), counts["conflicts"].to_numpy()


def pieces_between(begin_ns: int, end_ns: int) -> int:
    """How many pieces the time between is cut into."""
    return min(max(int((end_ns - begin_ns) / 1e9 / _PIECE_S), _PIECES[0]), _PIECES[1])


def rate_in_pieces(counts: Floats, conflicts: Floats) -> Interval:
    """The conflict rate with its 95 % interval, from the spread of pieces of the measured time.

    Attempts near one another share their luck, pieces hardly do: the ratio of two sums over pieces
    has the variance Σ (c − r·n)² / ((p − 1) p · n̄²) (W. G. Cochran, "Sampling Techniques", 1977,
    section 2.11), and chance alone is never less than that of independent attempts.
    """
    pieces, total, hits = len(counts), float(counts.sum()), float(conflicts.sum())
    rate = hits / total
    rest = conflicts - rate * counts
    variance = float((rest**2).sum()) / ((pieces - 1) * pieces * (total / pieces) ** 2)
    t = student_t(pieces - 1, 0.975)
    half = t * math.sqrt(max(variance, rate * (1 - rate) / total))
    # None, or nothing but conflicts, show no variance at all: never narrower than Wilson's interval.
    low, high = share_interval(int(hits), int(total), t) or (rate, rate)
    return Interval(max(0.0, min(low, rate - half)), rate, min(1.0, max(high, rate + half)))
