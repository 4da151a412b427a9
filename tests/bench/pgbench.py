"""PostgreSQL's own pgbench, doing the same transfers."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.targets.embedded.address import Regime
from loadtest.targets.embedded.binaries import binary
from tests.bench.process import BenchError, run

if TYPE_CHECKING:
    from tests.bench.bed import Bed

# The same statements as scenarios/transfer.py, over the same keys, drawn as evenly.
_SCRIPT = r"""
\set payer random(1, {accounts})
\set payee 1 + (:payer - 1 + random(1, {accounts} - 1)) % {accounts}
\set amount random(1, 10)
BEGIN ISOLATION LEVEL REPEATABLE READ;
UPDATE accounts_int SET balance = balance - :amount WHERE id = :payer RETURNING balance;
UPDATE accounts_int SET balance = balance + :amount WHERE id = :payee;
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class PgbenchRun:
    """What one run of pgbench gave."""

    tps: float
    cpu_us: float
    """Processor time of the client for each transfer."""
    latencies_ms: list[float]
    """Of all transfers after the warm-up, sorted; empty where no rate was set."""


class Pgbench:
    """pgbench on one database."""

    def __init__(self, bed: "Bed") -> None:
        self._bed = bed
        self._script = bed.folder / "transfer.sql"
        self._script.write_text(_SCRIPT.format(accounts=bed.sizes.accounts))

    def run(self, regime: Regime, *, clients: int, seconds: int, rate: int | None = None) -> PgbenchRun:
        """Transfers by so many clients in one thread; with `rate`, so many a second."""
        command: list[str | Path] = [
            binary("pgbench"), "--no-vacuum", "--protocol", "prepared", "--max-tries", "1000",
            "--client", str(clients), "--jobs", "1", "--time", str(seconds),
            "--file", self._script,
        ]  # fmt: skip
        log = self._bed.folder / "pgbench-log"
        if rate is not None:
            command += ["--rate", str(rate), "--log", "--log-prefix", str(log)]
        done = run([*command, self._bed.url(regime)], cwd=self._bed.folder)
        transfers = _found(r"actually processed: (\d+)", done.output)
        if _found(r"failed transactions: (\d+)", done.output):
            raise BenchError(f"pgbench gave transactions up:\n{done.output}")
        return PgbenchRun(
            tps=_found(r"tps = ([\d.]+)", done.output),
            cpu_us=done.cpu_s / transfers * 1e6,
            latencies_ms=_latencies(log, self._bed.sizes.warmup_s) if rate else [],
        )


def _found(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    if match is None:
        raise BenchError(f"pgbench did not say {pattern!r}:\n{text}")
    return float(match[1])


def _latencies(prefix: Path, warmup_s: int) -> list[float]:
    """Sorted, from pgbench's logs: with a rate it counts from the scheduled start, as we do."""
    rows = []
    for path in prefix.parent.glob(f"{prefix.name}.*"):
        with path.open() as file:
            # client, transaction, µs, script, second and µs of its end, …
            rows += [
                (int(second) + int(micro) * 1e-6, int(us) / 1e3)
                for _, _, us, _, second, micro, *_ in map(str.split, file)
            ]
        path.unlink()
    begin = min(end - ms / 1e3 for end, ms in rows) + warmup_s
    return sorted(ms for end, ms in rows if end >= begin)
