"""The same workload by formula, by simulation and on the embedded database, to hold side by side."""

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from loadtest.prediction.simulation import SimulateConfig, simulate
from loadtest.prediction.workload import Interval, Region, Workload
from loadtest.record.outcome import CONFLICTS
from loadtest.workload.access import parse_access
from loadtest.workload.retry import RetryPolicy
from reports.statistics.prediction.calibration import pieces_between, rate_in_pieces, read_calibration

WITHIN = 0.10
"""How far apart two of the three may be, where chance does not account for more."""

ACCOUNTS = (200, 1_000, 10_000, 100_000, 1_000_000)
SKEWS = ("uniform", "zipf:0.8", "zipf:1.1", "hotspot:0.9/0.1")
DELAYS_MS = (5.0, 20.0, 50.0)

_STATEMENT_MS = 1.0
_COMMIT_MS = 1.0
_SPREAD = 0.25
_SNAPSHOT_AT = 0.5


@dataclass(frozen=True)
class Case:
    """One workload; `users` in a closed loop, or `rate` transactions started a second."""

    accounts: int
    skew: str
    delay_ms: float
    users: int | None = 32
    rate: float | None = None
    retry: str = "full-jitter"
    max_attempts: int = 10
    arrivals: str = "even"

    def __str__(self) -> str:
        load = f"{self.users} users" if self.rate is None else f"{self.rate:g}/s {self.arrivals}"
        return f"{self.accounts:>9,} {self.skew:<15} {self.delay_ms:4g} ms  {load}, {self.retry}"

    def policy(self) -> RetryPolicy:
        """With the command's own base and cap."""
        return RetryPolicy(self.retry, 0.005, 1.0, self.max_attempts)


@dataclass(frozen=True)
class Outcome:
    """What came of a case; rates are shares of attempts."""

    conflict_rate: Interval
    """With its 95 % interval."""
    committed_tps: float
    give_up_rate: float
    attempts: int


def grid() -> Iterator[Case]:
    """Every number of accounts, skew and delay; more users where there are more accounts."""
    for accounts, skew, delay_ms in itertools.product(ACCOUNTS, SKEWS, DELAYS_MS):
        yield Case(accounts, skew, delay_ms, users=32 if accounts <= 10_000 else 512)


def simulated(case: Case, folder: Path, attempts: int, seed: int = 1) -> Outcome:
    """What `occbench simulate` makes of it, in so long that there are about so many attempts."""
    attempt_s = _attempt_s(case)
    pace = case.rate if case.users is None else (case.users or 0) / attempt_s
    config = SimulateConfig.read(
        keys="int", accounts=case.accounts, skew=case.skew, users=case.users, rate=case.rate,
        arrivals=case.arrivals, retry=case.retry, max_attempts=case.max_attempts,
        statement_ms=_STATEMENT_MS, commit_ms=_COMMIT_MS + case.delay_ms, spread=_SPREAD,
        snapshot_at=_SNAPSHOT_AT, decided_at=1.0, warmup=max(1.0, 50 * attempt_s),
        duration=max(2.0, attempts / (pace or 1.0)), seed=seed, out=folder,
    )  # fmt: skip
    return outcome_of(simulate(config))


def workload_of(case: Case) -> Workload:
    """The same for the formula: its windows are known, for it is known how the simulation makes them.

    A window is what is left of the first statement after its snapshot, the second one, and COMMIT.
    """
    parts_ms = ((1 - _SNAPSHOT_AT) * _STATEMENT_MS, _STATEMENT_MS, _COMMIT_MS + case.delay_ms)
    window_ms = sum(parts_ms)
    spread = _SPREAD * math.hypot(*parts_ms) / window_ms
    region = Region("", window_ms / 1000, window_ms / 1000, _attempt_s(case), spread)
    return Workload(
        parse_access(case.skew, case.accounts), (region,), case.policy(), case.users, case.rate,
        evenly=case.arrivals == "even",
    )  # fmt: skip


def _attempt_s(case: Case) -> float:
    return (3 * _STATEMENT_MS + _COMMIT_MS + case.delay_ms) / 1000


def rate_of(start_ns: NDArray[np.int64], conflicted: NDArray[np.bool_]) -> Interval:
    """The conflict rate of attempts that started then, with its interval from pieces of the time."""
    begin, end = int(start_ns.min()), int(start_ns.max()) + 1
    pieces = pieces_between(begin, end)
    counts, conflicts = (
        np.histogram(chosen, pieces, (begin, end))[0].astype(float)
        for chosen in (start_ns, start_ns[conflicted])
    )
    return rate_in_pieces(counts, conflicts)


def outcome_of(folder: Path) -> Outcome:
    """Read a run's record, of one key type."""
    tables = [pq.read_table(file) for file in sorted((folder / "attempts").glob("*.parquet"))]
    run = json.loads((folder / "run.json").read_text())
    starts, conflicts, finals, commits = (
        np.concatenate(parts)
        for parts in zip(
            *(
                (
                    table["begin_sent_ns"].to_numpy(),
                    np.isin(table["outcome"].to_numpy(), [str(outcome) for outcome in CONFLICTS]),
                    table["final"].to_numpy(),
                    table["outcome"].to_numpy() == "committed",
                )
                for table in tables
            ),
            strict=True,
        )
    )
    begin, until = run["measured_from_ns"], run["measured_until_ns"]
    chosen = (starts >= begin) & (starts < until)
    ended = finals & chosen
    return Outcome(
        conflict_rate=rate_of(starts[chosen], conflicts[chosen]),
        committed_tps=float((commits & ended).sum()) / ((until - begin) / 1e9),
        give_up_rate=float((conflicts & ended).sum()) / max(1, int(ended.sum())),
        attempts=int(chosen.sum()),
    )


def embedded(case: Case, target: str, seconds: float, out: Path, seed: int = 1) -> tuple[Outcome, Path]:
    """Run it on the embedded database; returns what came of it, and the run's folder."""
    from tests.commands import run

    words: list[object] = ["--users", case.users, "--accounts", case.accounts, "--skew", case.skew]
    words += ["--rate", case.rate] if case.rate is not None else []
    joint = "&" if "?" in target else "?"
    result = run(
        "--target", f"{target}{joint}commit_delay_ms={case.delay_ms:g}", "--keys", "int",
        "--retry", case.retry, "--max-attempts", case.max_attempts, "--duration", f"{seconds}s",
        "--warmup", "1s", "--seed", seed, *words, out=out,
    )  # fmt: skip
    return outcome_of(result.folder), result.folder


def predicted_from(folder: Path, case: Case) -> Workload:
    """The workload of a run on the embedded database, with the times that it took.

    The database takes the snapshot somewhere within the first statement: on average in its middle. It
    sleeps the delay before it writes, and holds the rows that it wrote until the commit is on disk;
    whoever wants one meanwhile waits and fails. So the window reaches to the end of COMMIT, or nearly
    so, and at least from the first answer over the delay.
    """
    calibration = read_calibration(folder)
    workload = calibration.workload("int")
    (region,) = workload.regions
    # The longest window without the shortest, which holds the delay, and without the rest of COMMIT.
    unknown = region.window_high_s - region.window_low_s
    first = unknown - (_commit_s(folder) - case.delay_ms / 1000)
    usual = min(max(1 - first / 2 / unknown, 0.0), 1.0) if unknown else 1.0
    return replace(workload, placement=Interval(0.0, usual, 1.0))


def _commit_s(folder: Path) -> float:
    """The mean time in COMMIT of the measured attempts that came so far."""
    tables = [pq.read_table(file) for file in sorted((folder / "attempts").glob("*.parquet"))]
    took = np.concatenate([_commits_ns(table)[table["block"].to_numpy() >= 0] for table in tables])
    return float(took[took > 0].mean()) / 1e9


def _commits_ns(table: pa.Table) -> NDArray[np.int64]:
    took = pc.subtract(table["ended_ns"], table["commit_sent_ns"]).fill_null(0)
    return np.asarray(took.to_numpy())


def agree(found: Outcome, best: float) -> bool:
    """Whether a conflict rate is within a tenth of what was found, or 1.5 sampling intervals of it."""
    measured = found.conflict_rate
    if abs(best - measured.best) <= WITHIN * max(best, measured.best):
        return True
    half = 1.5 * (measured.high - measured.best)
    return abs(best - measured.best) <= half
