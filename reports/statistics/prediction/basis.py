"""What a run says about its system, to forecast other workloads on it (`loadtest.prediction.forecast`).

Times of attempts and windows, by key type and target; and, where there were conflicts enough, where
within COMMIT the database decides, which nobody can see from outside but which the measured conflict
rate gives away.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.prediction.forecast import (
    UNKNOWN_PLACEMENT,
    Interval,
    Region,
    Workload,
    explained_range,
    placement_from,
)
from loadtest.record import parquet
from loadtest.record.attempt import OUTCOME_CODE, Outcome
from loadtest.record.run import Run, read_run
from loadtest.workload.access import parse_access
from loadtest.workload.retry import RetryPolicy
from reports.analysis.blocks import Blocks, find_blocks
from reports.analysis.figures import CONFLICT_CODES
from reports.analysis.reading.load import COUNTED_CODES, Attempts, Columns, load_attempts
from reports.analysis.reading.systems import find_databases

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
class KeyBasis:
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
class Basis:
    """A run as the basis of forecasts: its settings, and its times by key type."""

    folder: Path
    accounts: int
    skew: str
    users: int
    rate: float | None
    think_s: float
    retry: RetryPolicy
    between_s: float
    """The client's own time between two transactions of a user, beside the think time."""
    key_types: dict[str, KeyBasis]
    notes: tuple[str, ...]
    """What a reader of a forecast from this run should know."""
    target_delays_ms: dict[str, float]
    """The commit delay that a target was given, as far as `run.json` says."""
    decides_after_s: dict[str, float]
    """How long a target's COMMIT takes at least before it is decided; windows hold that."""

    def delays_ms(self, key_type: str) -> list[float]:
        """The commit delay that the times of each of the key type's Regions contain."""
        return [
            self.target_delays_ms.get(region.name, 0.0) for region in self.key_types[key_type].regions
        ]

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


def basis_of(folder: Path, like: Mapping[str, KeyBasis] | None = None) -> Basis:
    """Read a run's folder.

    Args:
        folder: the run's folder.
        like: key types of other runs on the same system. Of a key type that had too few conflicts to
            show where its windows lie, they are placed as they are there.

    Raises:
        InputError: if the run cannot be a basis: no transfers, targets that are (or may be) several
            databases, or a target that does not show its COMMIT.
    """
    run = read_run(folder)
    attempts = load_attempts(folder, run)
    _check(folder, run, attempts)
    blocks = find_blocks(run, attempts)
    users = run.config.users or sum(attempts.users.values())
    if not users or run.size is None:
        raise InputError(f"{folder} does not say how many users or accounts there were")
    think_s = _number(run.settings.get("think_time"), 0.0)
    basis = Basis(
        folder=folder,
        accounts=run.size,
        skew=run.config.skew,
        users=users,
        rate=run.config.rate,
        think_s=think_s,
        retry=RetryPolicy(
            run.config.retry or "full-jitter",
            _number(run.settings.get("retry_base_ms"), 5.0) / 1000,
            _number(run.settings.get("retry_cap_ms"), 1000.0) / 1000,
            run.config.max_attempts,
        ),
        between_s=_between_s(attempts.record.paths, think_s) if run.config.rate is None else 0.0,
        key_types={},
        notes=_notes(run),
        target_delays_ms={target.name: target.commit_delay_ms or 0.0 for target in run.targets},
        decides_after_s={target.name: target.decides_after_s for target in run.targets},
    )
    for key, name in enumerate(attempts.key_types):
        # One of which nothing came to COMMIT shows no window.
        if (attempts.measured.window_high_ns[_decided(attempts, key)] > 0).any():
            basis.key_types[name] = _key_basis(basis, attempts, blocks, key, (like or {}).get(name))
    if not basis.key_types:
        raise InputError(
            f"nothing committed and nothing conflicted in {folder}: it says nothing to go by"
        )
    return basis


def _check(folder: Path, run: Run, attempts: Attempts) -> None:
    """Whether the model can say anything about this run."""
    other = [name for name in attempts.scenarios if name != "transfer"]
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
    rows = attempts.measured
    for place, name in enumerate(attempts.targets):
        mine = (rows.target == place) & COUNTED_CODES[rows.outcome]
        if mine.any() and not (rows.window_high_ns[mine] > 0).any():
            raise InputError(
                f"target {quoted(name)} of {folder} does not show its COMMIT, so its windows are not "
                "known"
            )


def _notes(run: Run) -> tuple[str, ...]:
    notes = []
    if any(target.regime == "locking" for target in run.targets):
        notes.append(
            "The run's target locks rows. The model is that of optimistic concurrency control, where "
            "nobody waits; what it says of another setting holds only as far as locks did not matter."
        )
    if any((generator.cpu_share or 0) >= 0.9 for generator in run.generators):
        notes.append(
            "A load process of the run used a whole core: its times contain the tool's own waiting."
        )
    if run.interrupted:
        notes.append("The run was interrupted.")
    return tuple(notes)


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) else default


def _key_basis(
    basis: Basis, attempts: Attempts, blocks: Blocks, key: int, elsewhere: KeyBasis | None
) -> KeyBasis:
    mine = _decided(attempts, key)
    regions = _regions(basis, attempts, key, UNKNOWN_PLACEMENT.best)
    rows = attempts.measured
    conflicted = CONFLICT_CODES[rows.outcome[mine]]
    measured = rate_in_pieces(rows.start_ns[mine], conflicted)
    committed = int((rows.final & mine & (rows.outcome == OUTCOME_CODE[Outcome.COMMITTED])).sum())
    seconds = blocks.duration_of(key)
    known = KeyBasis(
        regions=regions,
        attempts=int(mine.sum()),
        conflicts=int(conflicted.sum()),
        throughput_tps=committed / seconds if seconds > 0 else 0.0,
        conflict_rate=measured,
        placement=UNKNOWN_PLACEMENT,
        explained=True,
    )
    basis.key_types[attempts.key_types[key]] = known
    own = basis.workload(attempts.key_types[key])
    low, high = explained_range(own)
    placement = UNKNOWN_PLACEMENT
    if known.conflicts >= FEW_CONFLICTS:
        regions = _regions(basis, attempts, key, placement_from(own, measured).best)
        # Once more with the spread that windows have there, so that the run's own rate comes out.
        placement = placement_from(replace(own, regions=regions), measured)
    elif elsewhere is not None:
        placement = elsewhere.placement
        regions = _regions(basis, attempts, key, placement.best)
    return replace(
        known,
        regions=regions,
        placement=placement,
        explained=measured.low <= high and measured.high >= low,
    )


def _decided(attempts: Attempts, key: int) -> NDArray[np.bool_]:
    """The attempts of this key type that committed or conflicted; what else failed says nothing of how
    long an attempt takes, nor how often it conflicts.
    """
    rows = attempts.measured
    return np.asarray((rows.key_type == key) & COUNTED_CODES[rows.outcome], np.bool_)


def _regions(basis: Basis, attempts: Attempts, key: int, placement: float) -> tuple[Region, ...]:
    """The targets on which attempts of this key type came to COMMIT."""
    mine = _decided(attempts, key)
    found = []
    for target in range(len(attempts.targets)):
        chosen = mine & (attempts.measured.target == target)
        if (attempts.measured.window_high_ns[chosen] > 0).any():
            found.append(_region(basis, attempts, chosen, target, placement))
    return tuple(found)


def _region(
    basis: Basis,
    attempts: Attempts,
    chosen: NDArray[np.bool_],
    target: int,
    placement: float,
) -> Region:
    """What these attempts of one target took; the spread is that of windows placed so."""
    rows = attempts.measured
    reached = chosen & (rows.window_high_ns > 0)
    high = rows.window_high_ns[reached] / 1e9
    after_s = basis.decides_after_s.get(attempts.targets[target], 0.0)
    low = np.minimum(rows.window_low_ns[reached] / 1e9 + after_s, high)
    lasted = (rows.statements_ns[chosen] + rows.commit_ns[chosen]) / 1e9
    name = attempts.targets[target]
    users = attempts.users.get(name, basis.users)
    transactions = max(1, int((rows.attempt[chosen] == 1).sum()))
    return Region(
        name=name,
        window_low_s=float(low.mean()),
        window_high_s=float(high.mean()),
        attempt_s=float(lasted.mean()),
        window_spread=_spread(low + placement * (high - low)),
        share=float(users if basis.rate is None else transactions),
        between_s=basis.between_s,
        start_spread_s=_start_spread_s(rows, reached, placement) if basis.rate is not None else None,
    )


def _start_spread_s(rows: Columns, reached: NDArray[np.bool_], placement: float) -> float | None:
    """Standard deviation of the time from a scheduled start to the snapshot, of first attempts.

    What passes before the first statement is the attempt without its longest window. Of the first
    statement itself, which is the longest window without the shortest and without COMMIT, as much
    lies before the snapshot as `placement` leaves out of the window.
    """
    first = reached & (rows.attempt == 1)
    if not first.any():
        return None
    low, high = rows.window_low_ns[first], rows.window_high_ns[first]
    before = rows.statements_ns[first] + rows.commit_ns[first] - high
    late = rows.start_ns[first] - rows.intended_start_ns[first]
    statement = np.maximum(0, high - low - rows.commit_ns[first])
    took = (before + late + (1 - placement) * statement) / 1e9
    return float(np.minimum(took, np.quantile(took, _LONGEST)).std())


def _between_s(files: Sequence[Path], think_s: float) -> float:
    """From the end of a user's transaction to its next one, without the pause that was asked for.

    The record has no such column: it is what lies between two rows of one user.
    """
    columns = ["user", "begin_sent_ns", "ended_ns", "attempt"]
    read, rows = [], 0
    for file in files:
        read.append(pq.read_table(parquet.reading(file), columns=columns))
        rows += len(read[-1])
        if rows > _ENOUGH_ROWS:
            break
    table = pa.concat_tables(read)
    user, start, end, attempt = (table[name].to_numpy() for name in columns)
    order = np.lexsort((start, user))
    ended = end[order]
    next_one = (user[order][1:] == user[order][:-1]) & (attempt[order][1:] == 1)
    gaps = (start[order][1:] - ended[:-1])[next_one] / 1e9 - think_s
    if not len(gaps):
        return 0.0
    # A pause of another cause, a new connection for one, is not what every transaction waits.
    return max(0.0, float(np.minimum(gaps, np.quantile(gaps, _LONGEST)).mean()))


def _spread(windows: NDArray[np.float64]) -> float:
    """Standard deviation over mean, without what stalls did."""
    kept = np.minimum(windows, np.quantile(windows, _LONGEST))
    return float(kept.std() / kept.mean()) if kept.mean() > 0 else 0.0


def rate_in_pieces(start_ns: NDArray[np.int64], conflicted: NDArray[np.bool_]) -> Interval:
    """The conflict rate with its 95 % interval, from the spread of pieces of the measured time.

    Attempts near one another share their luck, pieces hardly do: the ratio of two sums over pieces
    has the variance Σ (c − r·n)² / ((p − 1) p · n̄²) (W. G. Cochran, "Sampling Techniques", 1977,
    section 2.11), and chance alone is never less than that of independent attempts.
    """
    from scipy.special import stdtrit

    total, rate = len(start_ns), float(conflicted.mean())
    begin, end = int(start_ns.min()), int(start_ns.max()) + 1
    pieces = min(max(int((end - begin) / 1e9 / _PIECE_S), _PIECES[0]), _PIECES[1])
    piece = ((start_ns - begin) / (end - begin) * pieces).astype(np.int64)
    counts = np.bincount(piece, minlength=pieces)[:pieces]
    conflicts = np.bincount(piece, conflicted, pieces)[:pieces]
    rest = conflicts - rate * counts
    variance = float((rest**2).sum()) / ((pieces - 1) * pieces * (total / pieces) ** 2)
    independent = rate * (1 - rate) / total
    # Student's t with one degree of freedom fewer than there are pieces.
    t = float(stdtrit(pieces - 1, 0.975))
    half = t * math.sqrt(max(variance, independent))
    # None, or nothing but conflicts, show no variance at all: never narrower than the score interval
    # (E. B. Wilson, Journal of the American Statistical Association 22, 1927), here with t.
    scale = 1 + t * t / total
    middle = (rate + t * t / (2 * total)) / scale
    score = t / scale * math.sqrt(independent + (t / (2 * total)) ** 2)
    low, high = min(rate - half, middle - score), max(rate + half, middle + score)
    return Interval(max(0.0, min(low, rate)), rate, min(1.0, max(high, rate)))
