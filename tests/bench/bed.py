"""What is measured on: an embedded database of its own in a temporary folder, and the sizes."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from loadtest.targets import parse_target
from loadtest.targets.embedded.address import Regime
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.target import EmbeddedTarget
from tests.bench.pgbench import Pgbench
from tests.bench.process import OCCBENCH, run


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    accounts: int
    rounds: int
    """Of what is compared."""
    rate_s: int
    other_rounds: int
    """Of the optimistic regime, which is there for information."""
    other_s: int
    latency_s: int
    attempts: tuple[int, int]
    """Of the runs that are reported on."""
    full: bool

    warmup_s: int = 2
    clients: tuple[int, ...] = (8, 32)


FULL = Sizes(1_000_000, 3, 8, 1, 4, 8, (10_000_000, 100_000_000), full=True)
QUICK = Sizes(100_000, 1, 3, 1, 2, 2, (100_000, 1_000_000), full=False, warmup_s=1)


class Bed:
    """One server, and room for results."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder = folder
        self.sizes = sizes
        self.data = folder / "data"
        self.results = folder / "results"
        self.target = EmbeddedTarget(parse_target("embedded"))
        self.target.use(self.data)
        self._has_accounts = False

    def target_url(self, regime: Regime) -> str:
        """The database as `--target` takes it."""
        return f"embedded://{regime}?data={self.data}"

    def url(self, regime: Regime) -> str:
        """The database as psql and pgbench take it."""
        return self.target.server.url(regime)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement on the tables themselves; returns its rows."""
        with self.target.connect() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def have_accounts(self) -> None:
        """Seed the accounts with integer keys, unless they are there."""
        if self._has_accounts:
            return
        count = self.sizes.accounts
        say(f"seeding {count:,} accounts")
        run(
            [
                *OCCBENCH, "seed", "--target", self.target_url("locking"),
                "--keys", "int", "--accounts", str(count),
            ]
        )  # fmt: skip
        # The first updates of a freshly loaded table are dearer than all later ones.
        Pgbench(self).run("locking", clients=32, seconds=self.sizes.warmup_s + 1)
        self._has_accounts = True

    def updates_counted(self) -> int:
        """How many row updates of the accounts the server has counted, once its users are gone."""
        with self.target.connect() as connection:
            while _number(
                connection,
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
            ):
                time.sleep(0.02)
            return _number(
                connection, "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'accounts_int'"
            )


def _number(connection: psycopg.Connection[tuple[Any, ...]], statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    return int(row[0]) if row else 0


def say(what: str) -> None:
    """Tell whoever waits what is being done."""
    print(f"… {what}", file=sys.stderr, flush=True)


@contextmanager
def bed(sizes: Sizes) -> Iterator[Bed]:
    """Make a database; stop and remove it whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="occ-bench-"))
    if os.geteuid() == 0:
        folder.chmod(0o755)  # the server's user is another one then
    made = Bed(folder, sizes)
    try:
        say(f"making a database with {binary('postgres').name} in {folder}")
        made.target.start()
        yield made
    finally:
        # Asked to end once more, it goes on: nothing may be left running or lying about.
        before = {n: signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)}
        made.target.server.stop()
        shutil.rmtree(folder)
        for number, handler in before.items():
            signal.signal(number, handler)
