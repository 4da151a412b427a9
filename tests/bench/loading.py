"""Seconds to load accounts with random keys, beside one stream of psql's `\\copy`."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from loadtest.targets import parse_target
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.target import EmbeddedTarget
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, export_keys, seed
from seed.sql import ledger
from tests.bench.bed import Bed, say
from tests.bench.process import OCCBENCH, Finished, run
from tests.bench.table import Figure, Goal, Measurement, Ratio

_SEED = 1
_BALANCE = 10_000
_TABLE = find_scenario("transfer").table(KeyType.UUID)
_COPIED = replace(_TABLE, name="accounts_copied")


def measure(bed: Bed) -> Measurement:
    """Loading alone, the whole command, and psql, in turn, each into a new table."""
    count, rounds = bed.sizes.accounts, bed.sizes.rounds
    found = Measurement(f"Loading {count:,} uuid accounts", "psql \\copy")
    rows = bed.folder / "accounts.tsv"
    _write_rows(rows, count)
    alone: list[float] = []
    whole: list[Finished] = []
    copied: list[float] = []
    ways: list[Callable[[], None]] = [
        lambda: alone.append(_load(bed, count)),
        lambda: whole.append(_command(bed, count)),
        lambda: copied.append(_copy(bed, rows)),
    ]
    for turn in range(rounds):
        say(f"loading: round {turn + 1} of {rounds}")
        for place in range(len(ways)):
            _start_anew(bed)
            ways[(place + turn) % len(ways)]()
    _start_anew(bed)
    faster = [b / a for a, b in zip(alone, copied, strict=True)]
    slower = [a.seconds / b for a, b in zip(whole, copied, strict=True)]
    found.ratios += [
        Ratio("loading alone: times as fast as psql \\copy", faster, Goal.least(1.5)),
        Ratio("whole seed command: seconds ÷ psql \\copy's", slower, Goal.most(1.0)),
    ]
    found.figures += [
        Figure("loading alone, s", alone, copied),
        Figure("whole command, s", [done.seconds for done in whole]),
        Figure("whole command, processor s", [done.cpu_s for done in whole]),
        Figure("whole command, peak memory, MB", [done.peak_mb for done in whole]),
    ]
    return found


def _write_rows(path: Path, count: int) -> None:
    keys = path.with_suffix(".keys")
    export_keys(keys, KeyType.UUID, _SEED, count)
    with keys.open() as source, path.open("w") as rows:
        rows.writelines(f"{key.rstrip()}\t{_BALANCE}\n" for key in source)
    keys.unlink()


def _start_anew(bed: Bed) -> None:
    """Both tables away, psql's made again empty, and nothing left to be written out."""
    target = bed.target
    with target.connect() as connection:
        known = ledger.recorded(connection, _TABLE.name)
        if known is not None:
            target.before_drop(connection, _TABLE.name)
            ledger.forget(connection, known)
    dialect = target.dialect
    for statement in (
        *dialect.drop_table(_TABLE.name),
        *dialect.drop_table(_COPIED.name),
        *dialect.create_table(_COPIED),
        "CHECKPOINT",
    ):
        bed.execute(statement)


def _load(bed: Bed, count: int) -> float:
    # In another process, see process.Finished.
    command: list[str | Path] = [sys.executable, "-m", "tests.bench.loading", bed.data, str(count)]
    return float(run(command).output)


def _command(bed: Bed, count: int) -> Finished:
    return run(
        [
            *OCCBENCH, "seed", "--target", bed.target_url("locking"), "--keys", "uuid",
            "--accounts", str(count), "--seed", str(_SEED), "--balance", str(_BALANCE),
        ]
    )  # fmt: skip


def _copy(bed: Bed, rows: Path) -> float:
    copy = f"\\copy {_COPIED.name} FROM '{rows}'"
    return run([binary("psql"), "--no-psqlrc", "--command", copy, bed.url("locking")]).seconds


def _main(data: str, count: str) -> None:
    """Load once and print the seconds that loading alone took."""
    target = EmbeddedTarget(parse_target("embedded"))
    target.use(Path(data))
    plan = SeedPlan((KeyType.UUID,), int(count), seed=_SEED, balance=_BALANCE)
    print(seed(plan, target, find_scenario("transfer")).tables[0].seconds)


if __name__ == "__main__":
    _main(*sys.argv[1:])
