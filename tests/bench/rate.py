"""Transfers a second, and what one costs the client, beside pgbench."""

from dataclasses import dataclass, field

from loadtest.targets.embedded.address import Regime
from tests.bench.bed import Bed, say
from tests.bench.occbench import OccbenchRun, run_occbench
from tests.bench.pgbench import Pgbench, PgbenchRun
from tests.bench.table import Figure, Goal, Measurement, Ratio

_RATE = Goal.least(0.6, aim=0.75)
_CPU = Goal.most(90, unit=" µs")


@dataclass(slots=True)
class _Pair:
    """The rounds of one number of clients."""

    clients: int
    ours: list[OccbenchRun] = field(default_factory=list)
    theirs: list[PgbenchRun] = field(default_factory=list)

    def ratios(self) -> list[float]:
        return [a.tps / b.tps for a, b in zip(self.ours, self.theirs, strict=True)]

    def cpu_ratios(self) -> list[float]:
        return [a.cpu_us / b.cpu_us for a, b in zip(self.ours, self.theirs, strict=True)]

    def rates(self, regime: Regime) -> Figure:
        what = f"transfers/s, {self.clients} clients, {regime}"
        return Figure(what, [run.tps for run in self.ours], [run.tps for run in self.theirs])


def measure(bed: Bed) -> Measurement:
    """Both programs in turn, in both regimes; only the locking one is held against an aim."""
    sizes = bed.sizes
    bed.have_accounts()
    found = Measurement(f"Rate, {sizes.accounts:,} int accounts", "pgbench")
    plain = _alternate(bed, "locking", sizes.rounds, sizes.rate_s)
    optimistic = _alternate(bed, "optimistic", sizes.other_rounds, sizes.other_s)
    for pair in plain:
        cpu = [run.cpu_us for run in pair.ours]
        found.ratios += [
            Ratio(f"rate ÷ pgbench's, {pair.clients} clients", pair.ratios(), _RATE),
            Ratio(f"client CPU a transfer, {pair.clients} clients", cpu, _CPU, " µs"),
            Ratio(f"client CPU ÷ pgbench's, {pair.clients} clients", pair.cpu_ratios()),
        ]
    found.ratios += [
        Ratio(f"rate ÷ pgbench's, {pair.clients} clients, optimistic", pair.ratios())
        for pair in optimistic
    ]
    found.figures += [pair.rates("locking") for pair in plain]
    for pair in plain:
        found.figures.append(
            Figure(
                f"client CPU, µs a transfer, {pair.clients} clients",
                [run.cpu_us for run in pair.ours],
                [run.cpu_us for run in pair.theirs],
            )
        )
    found.figures += [pair.rates("optimistic") for pair in optimistic]
    recorded = sum(run.recorded for pair in (*plain, *optimistic) for run in pair.ours)
    found.remarks.append(
        f"Record: {recorded:,} attempts; by the server's count of updated rows, none is missing."
    )
    return found


def _alternate(bed: Bed, regime: Regime, rounds: int, seconds: int) -> list[_Pair]:
    pgbench = Pgbench(bed)
    pairs = [_Pair(clients) for clients in bed.sizes.clients]
    for turn in range(rounds):
        for pair in pairs:
            say(f"rate: {regime}, {pair.clients} clients, round {turn + 1} of {rounds}")
            for ours in (True, False) if turn % 2 == 0 else (False, True):
                if ours:
                    pair.ours.append(
                        run_occbench(bed, regime, users=pair.clients, seconds=seconds, seed=turn + 1)
                    )
                else:
                    pair.theirs.append(pgbench.run(regime, clients=pair.clients, seconds=seconds))
    return pairs
